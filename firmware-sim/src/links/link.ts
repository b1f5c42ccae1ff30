import {
	type CommandAnswer,
	type CommandToDevice,
	commandToDevice,
	ERRORS,
	type ErrorCode,
	type Transport,
} from '@crowdvision/contracts';
import type { DeviceReading } from '../reading.ts';

/** What became of a reading that was sent. */
export type Verdict =
	/** The gateway has it on disk. */
	| { outcome: 'acknowledged' }
	/** The gateway will never take it. */
	| { outcome: 'refused'; reason: string }
	/** Not now: keep it and send it again, after `afterMs` where the gateway said so. */
	| { outcome: 'later'; reason: string; afterMs?: number };

/** A link that is up. */
export interface Connection {
	/** Resolves with the gateway's answer; never, where none comes. Rejects when the reading could not be sent. */
	send(reading: DeviceReading): Promise<Verdict>;
	/** Resolves, with the reason, when the connection is over, whoever ended it. */
	readonly closed: Promise<string>;
	/** Ends it as a device that is switched off in order; resolves within a few seconds, whatever the gateway does. */
	close(): Promise<void>;
	/** Ends it as a cable that is pulled. */
	cut(reason: string): void;
}

/** A device's side of one way in to the gateway. Coming back after a failure is its user's part. */
export interface Link {
	readonly transport: Transport;
	/** How many readings may be unanswered at once. */
	readonly window: number;
	/** Rejects when there is no connection within a few seconds, or `signal` aborts. */
	open(signal: AbortSignal): Promise<Connection>;
}

/** What a device says of a command; its id is the command's. */
export type Answer = Omit<CommandAnswer, 'id'>;

/** Called with each command that comes over a link; `answer` says something to it over the same link. */
export type OnCommand = (command: CommandToDevice, answer: (answer: Answer) => void) => void;

/** A device's answer to a command whose name it does not know. */
export const UNKNOWN_COMMAND: Answer = { outcome: 'failed', detail: 'this device knows no such command' };

/** What a device shows the gateway. */
export interface Credentials {
	deviceId: string;
	token: string;
}

export const OPEN_TIMEOUT_MS = 10_000;
export const CLOSE_TIMEOUT_MS = 2_000;

/** A connection's end, told once. */
export function ending(): { closed: Promise<string>; end: (reason: string) => void } {
	const { promise, resolve } = Promise.withResolvers<string>();
	return { closed: promise, end: resolve };
}

/**
 * The verdict on a reading that was refused with a code of the error table. A bad token is mended at the gateway, so
 * the reading is kept.
 */
export function verdictOfError(code: string, message: string): Verdict {
	const reason = message ? `${code}: ${message}` : code;
	const final = Object.hasOwn(ERRORS, code) && !('retry' in ERRORS[code as ErrorCode]) && code !== 'unauthenticated';
	return { outcome: final ? 'refused' : 'later', reason };
}

/** Rejects with `what` when `promise` is not settled in time. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
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

/** A command as JSON; undefined for what is none, such as one that was damaged on its way. */
export function commandIn(text: string, sensorId?: string): CommandToDevice | undefined {
	try {
		const value = { ...(sensorId !== undefined && { sensorId }), ...(JSON.parse(text) as object) };
		return commandToDevice.check(value) ? value : undefined;
	} catch {
		return undefined;
	}
}
