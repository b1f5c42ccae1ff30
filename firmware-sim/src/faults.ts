import { createRandom, hash, type Random } from './random.ts';
import type { DeviceReading } from './reading.ts';

/**
 * What can go wrong between a sensor and the gateway, each by its name, with the share of messages it strikes and its
 * own seed. A fault does its work through whichever of these hooks it has.
 */
export interface Fault {
	readonly name: FaultName;
	/** Of what it could strike, 0..1. */
	readonly rate: number;
	/** How often it struck. */
	injected: number;
	/**
	 * Changes a reading before it is buffered; a resent reading is the same as the first time. `uptimeMs`: since the
	 * device was switched on.
	 */
	onReading?(reading: DeviceReading, uptimeMs: number): DeviceReading;
	/** How many times more the sensors are sampled at once. */
	onSample?(): number;
	/** What is sent instead of one message. */
	onSend?<T>(message: T): T[];
	/** What goes over a serial line instead of one frame. */
	onFrame?(frame: Uint8Array): Uint8Array;
	/** Whether the connection is cut after this message. */
	onSent?(): boolean;
	/** Whether a command is not heard. */
	isDeaf?(): boolean;
	/** How much later than it could a command is executed, ms. */
	commandDelayMs?(): number;
	/** What is said instead of one answer to a command. */
	onAnswer?<T>(answer: T): T[];
}

type Hooks = Omit<Fault, 'name' | 'rate' | 'injected'>;

interface FaultMaker {
	/** For people who ask which faults there are. */
	means: string;
	defaultRate: number;
	/** `strikes()` draws whether the fault strikes now, and counts it. */
	create(strikes: () => boolean, random: Random): Hooks;
}

const FLOOD = 50;
const SLOW_MS = 2000;

/** Bytes that no JSON document holds, as a line with a framing error or a glitch in its clock delivers them. */
const GARBAGE = [0x00, 0x01, 0x80, 0xc0, 0xfe, 0xff];

const MAKERS = {
	drop: {
		means: 'a message is lost before it is sent',
		defaultRate: 0.05,
		create: (strikes) => ({ onSend: (message) => (strikes() ? [] : [message]) }),
	},
	duplicate: {
		means: 'a message is sent twice',
		defaultRate: 0.05,
		create: (strikes) => ({ onSend: (message) => (strikes() ? [message, message] : [message]) }),
	},
	reorder: {
		means: 'a message is sent after the one that follows it',
		defaultRate: 0.05,
		create: (strikes) => {
			let held: { message: unknown } | undefined;
			return {
				onSend: <T>(message: T) => {
					if (held) {
						const earlier = held.message as T;
						held = undefined;
						return [message, earlier];
					}
					if (!strikes()) return [message];
					held = { message };
					return [];
				},
			};
		},
	},
	'corrupt-byte': {
		means: 'serial: one byte of a frame becomes one that JSON does not know',
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
		means: 'serial: a frame ends early, with or without its line end',
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
		means: `the sensors are sampled ${FLOOD} times more at once`,
		defaultRate: 0.01,
		create: (strikes) => ({ onSample: () => (strikes() ? FLOOD : 0) }),
	},
	unplug: {
		means: 'the connection is cut after a message',
		defaultRate: 0.01,
		create: (strikes) => ({ onSent: strikes }),
	},
	deaf: {
		means: 'a command is not heard',
		defaultRate: 0.2,
		create: (strikes) => ({ isDeaf: strikes }),
	},
	slow: {
		means: `a command is executed ${SLOW_MS / 1000} s after it came, if it is not late then`,
		defaultRate: 0.2,
		create: (strikes) => ({ commandDelayMs: () => (strikes() ? SLOW_MS : 0) }),
	},
	'answers-twice': {
		means: 'a command is answered twice',
		defaultRate: 0.2,
		create: (strikes) => ({ onAnswer: (answer) => (strikes() ? [answer, answer] : [answer]) }),
	},
	'clock-1970': {
		means: 'the clock is not set: readings carry a time of 1970, or none',
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
} as const satisfies Record<string, FaultMaker>;

export type FaultName = keyof typeof MAKERS;
export const FAULT_NAMES = Object.keys(MAKERS) as FaultName[];

/** One line for each fault: name, default rate and what it does. */
export const FAULTS_EXPLAINED = FAULT_NAMES.map(
	(name) => `${name}:${MAKERS[name].defaultRate} (${MAKERS[name].means})`,
);

/**
 * Makes a fault of its name with its rate, as in `drop:0.05`; without a rate it has its own.
 * @throws RangeError that says what is allowed
 */
export function createFault(spec: string, seed: number): Fault {
	const [, name, rateText] = /^([a-z0-9-]+)(?::(\d*\.?\d+))?$/.exec(spec) ?? [];
	if (!isFaultName(name))
		throw new RangeError(`fault "${spec}" must be one of ${FAULT_NAMES.join(', ')}, with a rate as in drop:0.05`);
	const maker: FaultMaker = MAKERS[name];
	const rate = rateText === undefined ? maker.defaultRate : Number(rateText);
	if (!(rate >= 0 && rate <= 1)) throw new RangeError(`the rate of fault "${spec}" must be a number from 0 to 1`);
	const random = createRandom(hash(seed, name));
	const fault: Fault = { name, rate, injected: 0 };
	const strikes = () => {
		if (random() >= rate) return false;
		fault.injected++;
		return true;
	};
	return Object.assign(fault, maker.create(strikes, random));
}

const isFaultName = (name: string | undefined): name is FaultName => FAULT_NAMES.some((known) => known === name);

/** The faults of one device, in the order they were named. */
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

	isDeaf(): boolean {
		return this.all.reduce((deaf, fault) => (fault.isDeaf?.() ?? false) || deaf, false);
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
