import {
	type CommandAnswer,
	type CommandToDevice,
	commandToDevice,
	ERRORS,
	type ErrorCode,
	type Transport,
} from '@crowdvision/contracts';
import type { DeviceReading } from '../reading.ts';

/** The gateway's answer to a reading. */
export type Verdict =
	/** The reading is on the gateway's disk. */
	| { outcome: 'acknowledged' }
	/** The gateway will never accept the reading. */
	| { outcome: 'refused'; reason: string }
	/** The gateway cannot accept it now: keep it and send it again, not before `afterMs` if that is given. */
	| { outcome: 'later'; reason: string; afterMs?: number };

/** An open connection of a link. */
export interface Connection {
	/** Resolves with the gateway's answer, or never if none arrives. Rejects if the reading could not be sent. */
	send(reading: DeviceReading): Promise<Verdict>;
	/** Resolves with the reason when the connection ends, whichever side ended it. */
	readonly closed: Promise<string>;
	/** Ends it in order, as a device that is switched off. Resolves within a few seconds, whatever the gateway does. */
	close(): Promise<void>;
	/** Ends it at once, as a cable that is pulled. */
	cut(reason: string): void;
}

/** A device's side of one transport. It opens connections; reconnecting is up to its user, the uplink. */
export interface Link {
	readonly transport: Transport;
	/** The most readings that may be unanswered at a time. */
	readonly window: number;
	/** Rejects if there is no connection within a few seconds, or when `signal` aborts. */
	open(signal: AbortSignal): Promise<Connection>;
}

/** A device's answer to a command; the command's id is added by the link. */
export type Answer = Omit<CommandAnswer, 'id'>;

/** Called with each command that arrives over a link; `answer` answers it over the same link. */
export type OnCommand = (command: CommandToDevice, answer: (answer: Answer) => void) => void;

/** A device's answer to a command whose name it does not know. */
export const UNKNOWN_COMMAND: Answer = { outcome: 'failed', detail: 'this device knows no such command' };

/** What a device authenticates with. */
export interface Credentials {
	deviceId: string;
	token: string;
}

export const OPEN_TIMEOUT_MS = 10_000;
export const CLOSE_TIMEOUT_MS = 2_000;

/** A promise of a connection's end, and the function that resolves it. */
export function connectionEnd(): { closed: Promise<string>; end: (reason: string) => void } {
	const { promise, resolve } = Promise.withResolvers<string>();
	return { closed: promise, end: resolve };
}

/**
 * The verdict for a code of the gateway's error table. A bad token is no reason to drop a reading: the gateway's
 * operator can correct it.
 */
export function verdictForError(code: string, message: string): Verdict {
	const reason = message ? `${code}: ${message}` : code;
	const final = Object.hasOwn(ERRORS, code) && !('retry' in ERRORS[code as ErrorCode]) && code !== 'unauthenticated';
	return { outcome: final ? 'refused' : 'later', reason };
}

/** Rejects with a message that names `what` if `promise` does not settle within `ms`. */
export async function withTimeout<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms} ms`)), ms);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Parses a command from JSON; undefined if it is not a valid one, such as one that was damaged on the line. */
export function parseCommand(text: string, sensorId?: string): CommandToDevice | undefined {
	try {
		const value = { ...(sensorId !== undefined && { sensorId }), ...(JSON.parse(text) as object) };
		return commandToDevice.check(value) ? value : undefined;
	} catch {
		return undefined;
	}
}
