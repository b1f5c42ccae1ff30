import { createRandom, hash, type Random } from './random.ts';
import type { DeviceReading } from './reading.ts';

/**
 * A named fault between a sensor and the gateway. It strikes a share of the events it can strike, drawn from its own
 * seed, through the hooks that it implements.
 */
export interface Fault {
	readonly name: FaultName;
	/** Share of events that it strikes, 0..1. */
	readonly rate: number;
	/** How often it has struck. */
	injected: number;
	/**
	 * Changes a reading before it is buffered, so a resent reading equals the first one. `uptimeMs`: time since the
	 * device was switched on.
	 */
	onReading?(reading: DeviceReading, uptimeMs: number): DeviceReading;
	/** Returns how many extra times the sensors are sampled at once. */
	onSample?(): number;
	/** Returns the messages to send in place of one. */
	onSend?<T>(message: T): T[];
	/** Returns the bytes to write to a serial line in place of one frame. */
	onFrame?(frame: Uint8Array): Uint8Array;
	/** Returns whether the connection is cut after this message. */
	onSent?(): boolean;
	/** Returns whether a command is ignored as if it had not arrived. */
	ignoresCommand?(): boolean;
	/** Returns by how many ms the execution of a command is delayed. */
	commandDelayMs?(): number;
	/** Returns the answers to send in place of one answer to a command. */
	onAnswer?<T>(answer: T): T[];
}

type Hooks = Omit<Fault, 'name' | 'rate' | 'injected'>;

interface FaultDefinition {
	/** Shown by --help. */
	description: string;
	defaultRate: number;
	/** `strikes()` draws whether the fault strikes now, and counts it if it does. */
	create(strikes: () => boolean, random: Random): Hooks;
}

const FLOOD = 50;
const SLOW_MS = 2000;

/** Bytes that cannot occur in JSON, as a line with a framing or clock error delivers them. */
const GARBAGE = [0x00, 0x01, 0x80, 0xc0, 0xfe, 0xff];

const DEFINITIONS = {
	drop: {
		description: 'a message is lost before it is sent',
		defaultRate: 0.05,
		create: (strikes) => ({ onSend: (message) => (strikes() ? [] : [message]) }),
	},
	duplicate: {
		description: 'a message is sent twice',
		defaultRate: 0.05,
		create: (strikes) => ({ onSend: (message) => (strikes() ? [message, message] : [message]) }),
	},
	reorder: {
		description: 'a message is sent after the one that follows it',
		defaultRate: 0.05,
		create: (strikes) => {
			let delayed: { message: unknown } | undefined;
			return {
				onSend: <T>(message: T) => {
					if (delayed) {
						const earlier = delayed.message as T;
						delayed = undefined;
						return [message, earlier];
					}
					if (!strikes()) return [message];
					delayed = { message };
					return [];
				},
			};
		},
	},
	'corrupt-byte': {
		description: 'serial: one byte of a frame becomes one that JSON does not allow',
		defaultRate: 0.05,
		create: (strikes, random) => ({
			onFrame: (frame) => {
				if (!strikes()) return frame;
				const corrupt = Uint8Array.from(frame);
				corrupt[Math.floor(random() * (frame.length - 1))] = GARBAGE[Math.floor(random() * GARBAGE.length)] as number;
				return corrupt;
			},
		}),
	},
	'torn-frame': {
		description: 'serial: a frame is cut short, with or without a newline at its end',
		defaultRate: 0.05,
		create: (strikes, random) => ({
			onFrame: (frame) => {
				if (!strikes()) return frame;
				const torn = frame.subarray(0, 1 + Math.floor(random() * (frame.length - 2)));
				return random() < 0.5 ? torn : Buffer.concat([torn, Buffer.from('\n')]);
			},
		}),
	},
	flood: {
		description: `the sensors are sampled ${FLOOD} extra times at once`,
		defaultRate: 0.01,
		create: (strikes) => ({ onSample: () => (strikes() ? FLOOD : 0) }),
	},
	unplug: {
		description: 'the connection is cut after a message',
		defaultRate: 0.01,
		create: (strikes) => ({ onSent: strikes }),
	},
	deaf: {
		description: 'a command is ignored',
		defaultRate: 0.2,
		create: (strikes) => ({ ignoresCommand: strikes }),
	},
	slow: {
		description: `a command is executed ${SLOW_MS / 1000} s after it arrived, unless it has expired by then`,
		defaultRate: 0.2,
		create: (strikes) => ({ commandDelayMs: () => (strikes() ? SLOW_MS : 0) }),
	},
	'answers-twice': {
		description: 'a command is answered twice',
		defaultRate: 0.2,
		create: (strikes) => ({ onAnswer: (answer) => (strikes() ? [answer, answer] : [answer]) }),
	},
	'clock-1970': {
		description: 'the clock is not set: readings have a time in 1970, or none',
		defaultRate: 1,
		create: (strikes, random) => ({
			onReading: (reading, uptimeMs) => {
				if (!strikes()) return reading;
				if (random() < 0.5) return { ...reading, observedAt: Math.max(0, Math.round(uptimeMs)) };
				const { observedAt: _unknown, ...undated } = reading;
				return undated;
			},
		}),
	},
} as const satisfies Record<string, FaultDefinition>;

export type FaultName = keyof typeof DEFINITIONS;
export const FAULT_NAMES = Object.keys(DEFINITIONS) as FaultName[];

/** One line per fault, for --help: name, default rate and description. */
export const FAULT_HELP = FAULT_NAMES.map(
	(name) => `${name}:${DEFINITIONS[name].defaultRate} (${DEFINITIONS[name].description})`,
);

/**
 * Creates a fault from its name and rate, such as `drop:0.05`; without a rate, its default rate applies.
 * @throws RangeError that names what is allowed
 */
export function createFault(spec: string, seed: number): Fault {
	const [, name, rateText] = /^([a-z0-9-]+)(?::(\d*\.?\d+))?$/.exec(spec) ?? [];
	if (!isFaultName(name))
		throw new RangeError(`fault "${spec}" must be one of ${FAULT_NAMES.join(', ')}, with a rate as in drop:0.05`);
	const definition: FaultDefinition = DEFINITIONS[name];
	const rate = rateText === undefined ? definition.defaultRate : Number(rateText);
	if (!(rate >= 0 && rate <= 1)) throw new RangeError(`the rate of fault "${spec}" must be a number from 0 to 1`);
	const random = createRandom(hash(seed, name));
	const fault: Fault = { name, rate, injected: 0 };
	const strikes = () => {
		if (random() >= rate) return false;
		fault.injected++;
		return true;
	};
	return Object.assign(fault, definition.create(strikes, random));
}

const isFaultName = (name: string | undefined): name is FaultName => FAULT_NAMES.some((known) => known === name);

/** The faults of one device, applied in the given order. */
export class Faults {
	readonly all: readonly Fault[];

	/** @throws RangeError for a spec that `createFault` does not take */
	constructor(specs: readonly string[] = [], seed = 0) {
		this.all = specs.map((spec) => createFault(spec, seed));
	}

	onReading(reading: DeviceReading, uptimeMs: number): DeviceReading {
		return this.all.reduce((changed, fault) => fault.onReading?.(changed, uptimeMs) ?? changed, reading);
	}

	onSample(): number {
		return this.all.reduce((more, fault) => more + (fault.onSample?.() ?? 0), 0);
	}

	onSend<T>(message: T): T[] {
		return this.all.reduce((messages, fault) => messages.flatMap((one) => fault.onSend?.(one) ?? [one]), [message]);
	}

	onFrame(frame: Uint8Array): Uint8Array {
		return this.all.reduce((changed, fault) => fault.onFrame?.(changed) ?? changed, frame);
	}

	ignoresCommand(): boolean {
		return this.all.reduce((ignored, fault) => (fault.ignoresCommand?.() ?? false) || ignored, false);
	}

	commandDelayMs(): number {
		return this.all.reduce((ms, fault) => ms + (fault.commandDelayMs?.() ?? 0), 0);
	}

	onAnswer<T>(answer: T): T[] {
		return this.all.reduce((answers, fault) => answers.flatMap((one) => fault.onAnswer?.(one) ?? [one]), [answer]);
	}

	onSent(): boolean {
		return this.all.reduce((cut, fault) => (fault.onSent?.() ?? false) || cut, false);
	}
}
