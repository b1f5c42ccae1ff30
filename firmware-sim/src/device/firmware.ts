import type { CommandToDevice } from '@crowdvision/contracts';
import type { Faults } from '../faults.ts';
import type { Link, OnCommand } from '../links/link.ts';
import type { SimLogger } from '../logger.ts';
import { hash } from '../random.ts';
import type { DeviceReading } from '../reading.ts';
import type { Retry } from './back-off.ts';
import { type Action, type CommandStats, Commands } from './commands.ts';
import type { Device, Sample } from './device.ts';
import { Uplink, type UplinkStats } from './uplink.ts';

export interface FirmwareOptions {
	/** The device's name, for people. */
	name: string;
	device: Device;
	/** Its link, over which it hears commands. */
	link: (onCommand: OnCommand) => Link;
	faults: Faults;
	/** Tells this start of the device from every other. */
	boot: string;
	/** Epoch ms, as the device's own clock shows it. */
	clock: () => number;
	/** Epoch ms of the simulated building, at which the sensors measure. */
	buildingClock: () => number;
	bufferSize: number;
	ackTimeoutMs: number;
	retry: Retry;
	logger: SimLogger;
	onAcknowledged: (reading: DeviceReading) => void;
	onExecuted?: ((command: CommandToDevice) => void) | undefined;
	/** Asked before each reading; false: no more. */
	mayProduce: () => boolean;
}

export interface DeviceStats extends UplinkStats {
	/** How often each fault struck. */
	faults: Record<string, number>;
	commands: CommandStats;
}

/** The program of one device: it samples its sensors, numbers and dates what they say, and hands it to the uplink. */
export class Firmware {
	readonly name: string;
	readonly transport: Link['transport'];
	readonly sensorIds: readonly string[];
	readonly #options: FirmwareOptions;
	readonly #uplink: Uplink;
	readonly #seq = new Map<string, number>();
	readonly #commands: Commands;
	#boot: string;
	#switchedOnAt: number;
	#sampling: NodeJS.Timeout | undefined;

	constructor(options: FirmwareOptions) {
		this.name = options.name;
		this.#commands = new Commands({
			actions: this.#actions(),
			clock: options.clock,
			faults: options.faults,
			onExecuted: options.onExecuted,
		});
		const link = options.link(this.#commands.take);
		this.transport = link.transport;
		this.sensorIds = options.device.sensors.map((sensor) => sensor.sensorId);
		this.#options = options;
		this.#uplink = new Uplink(link, options);
		this.#boot = options.boot;
		this.#switchedOnAt = options.clock();
	}

	start(): void {
		this.#uplink.start();
	}

	/** Measures with every sensor now, and sends; returns the number of readings. */
	sample(): number {
		const { device, faults, buildingClock } = this.#options;
		let readings = 0;
		for (let more = faults.onSample(); more >= 0; more--) {
			for (const sample of device.sample(buildingClock())) {
				if (!this.#options.mayProduce()) return readings;
				this.#uplink.put(this.#read(sample));
				readings++;
			}
		}
		return readings;
	}

	/** Measures every so many ms, for the first time `afterMs` from now, until `pause`. */
	sampleEvery(intervalMs: number, afterMs: number): void {
		this.pause();
		this.#sampling = setTimeout(() => {
			this.sample();
			this.#sampling = setInterval(() => this.sample(), intervalMs);
		}, afterMs);
	}

	/** Measures no more by itself. */
	pause(): void {
		clearTimeout(this.#sampling);
		this.#sampling = undefined;
	}

	stats(): DeviceStats {
		const faults = Object.fromEntries(this.#options.faults.all.map((fault) => [fault.name, fault.injected]));
		return { ...this.#uplink.stats(), faults, commands: this.#commands.stats() };
	}

	/** Resolves when nothing waits to be acknowledged, or `signal` aborts. */
	drained(signal: AbortSignal): Promise<void> {
		return this.#uplink.drained(signal);
	}

	stop(): Promise<void> {
		this.pause();
		this.#commands.stop();
		return this.#uplink.stop();
	}

	#read(sample: Sample): DeviceReading {
		const { clock, faults } = this.#options;
		// An ACK on a serial line names the number only, so there all sensors count together.
		const counter = this.transport === 'serial' ? '' : sample.sensorId;
		const seq = this.#seq.get(counter) ?? 0;
		this.#seq.set(counter, seq + 1);
		const now = clock();
		return faults.onReading(
			{ ...sample, observedAt: Math.round(now), seq, boot: this.#boot },
			now - this.#switchedOnAt,
		);
	}

	#actions(): Record<string, Action> {
		return {
			identify: (args) => {
				const { times = 3 } = (args ?? {}) as { times?: unknown };
				return `blinked ${wholeNumber('times', times, 1, 100)} times`;
			},
			setInterval: (args) => {
				const ms = wholeNumber('ms', (args as { ms?: unknown } | undefined)?.ms, 1, 86_400_000);
				this.sampleEvery(ms, ms);
				return `measures every ${ms} ms`;
			},
			zero: (_args, sensorId) => {
				if (!this.sensorIds.includes(sensorId)) throw new RangeError(`there is no ${sensorId} at this device`);
				this.#options.device.zero(sensorId, this.#options.buildingClock());
				return 'counts from here';
			},
			reboot: () => {
				// After the answer is on its way.
				setImmediate(() => this.#reboot());
				return 'restarts';
			},
		};
	}

	/** What is buffered survives, in flash memory; numbers begin again, under another boot. */
	#reboot(): void {
		this.#boot = hash(this.name, this.#boot).toString(36);
		this.#seq.clear();
		this.#switchedOnAt = this.#options.clock();
		this.#uplink.reconnect();
	}
}

/** @throws RangeError that names what is allowed */
function wholeNumber(name: string, value: unknown, min: number, max: number): number {
	if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
	throw new RangeError(`${name} must be a whole number from ${min} to ${max}`);
}
