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

/** Options of a firmware, the program of one device. */
export interface FirmwareOptions {
	/** The device's name, for people. */
	name: string;
	device: Device;
	/** Creates its link, over which it also receives commands. */
	link: (onCommand: OnCommand) => Link;
	faults: Faults;
	/** Distinguishes this start of the device from every other. */
	boot: string;
	/** The device's own clock, epoch ms. */
	clock: () => number;
	/** The time in the simulated building at which the sensors measure, epoch ms. */
	buildingClock: () => number;
	bufferSize: number;
	ackTimeoutMs: number;
	retry: Retry;
	logger: SimLogger;
	onAcknowledged: (reading: DeviceReading) => void;
	onExecuted?: ((command: CommandToDevice) => void) | undefined;
	/** Called before each reading; false means no more readings. */
	mayProduce: () => boolean;
}

/** Counts of one device since it was started. */
export interface DeviceStats extends UplinkStats {
	/** How often each fault has struck. */
	faults: Record<string, number>;
	commands: CommandStats;
}

/** The program of one device: samples its sensors, adds number and time, and passes the readings to the uplink. */
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
		const link = options.link(this.#commands.onCommand);
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

	/** Measures with every sensor now and sends the readings; returns their number. */
	sample(): number {
		const { device, faults, buildingClock } = this.#options;
		let readings = 0;
		for (let extra = faults.onSample(); extra >= 0; extra--) {
			for (const sample of device.sample(buildingClock())) {
				if (!this.#options.mayProduce()) return readings;
				this.#uplink.put(this.#read(sample));
				readings++;
			}
		}
		return readings;
	}

	/** Measures every `intervalMs`, first after `afterMs`, until `pause`. */
	sampleEvery(intervalMs: number, afterMs: number): void {
		this.pause();
		this.#sampling = setTimeout(() => {
			this.sample();
			this.#sampling = setInterval(() => this.sample(), intervalMs);
		}, afterMs);
	}

	/** Stops measuring at intervals. */
	pause(): void {
		clearTimeout(this.#sampling);
		this.#sampling = undefined;
	}

	stats(): DeviceStats {
		const faults = Object.fromEntries(this.#options.faults.all.map((fault) => [fault.name, fault.injected]));
		return { ...this.#uplink.stats(), faults, commands: this.#commands.stats() };
	}

	/** Resolves when no reading waits for its acknowledgement, or when `signal` aborts. */
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
		// An ACK on a serial line names the number only, so there all sensors share one sequence.
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
				return `measuring every ${ms} ms`;
			},
			zero: (_args, sensorId) => {
				if (!this.sensorIds.includes(sensorId)) throw new RangeError(`this device has no sensor ${sensorId}`);
				this.#options.device.zero(sensorId, this.#options.buildingClock());
				return 'counting from here';
			},
			reboot: () => {
				// After the answer has been sent.
				setImmediate(() => this.#reboot());
				return 'restarting';
			},
		};
	}

	/** The buffer survives, as in flash memory; the numbers start again at 0 with a new boot id. */
	#reboot(): void {
		this.#boot = hash(this.name, this.#boot).toString(36);
		this.#seq.clear();
		this.#switchedOnAt = this.#options.clock();
		this.#uplink.reconnect();
	}
}

/** @throws RangeError that says what is allowed */
function wholeNumber(name: string, value: unknown, min: number, max: number): number {
	if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
	throw new RangeError(`${name} must be a whole number from ${min} to ${max}`);
}
