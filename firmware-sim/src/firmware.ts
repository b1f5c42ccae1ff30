import type { Retry } from './back-off.ts';
import type { Device, Sample } from './device.ts';
import type { Faults } from './faults.ts';
import type { Link } from './links/link.ts';
import type { SimLogger } from './logger.ts';
import type { DeviceReading } from './reading.ts';
import { Uplink, type UplinkStats } from './uplink.ts';

export interface FirmwareOptions {
	/** The device's name, for people. */
	name: string;
	device: Device;
	link: Link;
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
	/** Asked before each reading; false: no more. */
	mayProduce: () => boolean;
}

export interface DeviceStats extends UplinkStats {
	/** How often each fault struck. */
	faults: Record<string, number>;
}

/** The program of one device: it samples its sensors, numbers and dates what they say, and hands it to the uplink. */
export class Firmware {
	readonly name: string;
	readonly transport: Link['transport'];
	readonly sensorIds: readonly string[];
	readonly #options: FirmwareOptions;
	readonly #uplink: Uplink;
	readonly #seq = new Map<string, number>();
	readonly #switchedOnAt: number;

	constructor(options: FirmwareOptions) {
		this.name = options.name;
		this.transport = options.link.transport;
		this.sensorIds = options.device.sensors.map((sensor) => sensor.sensorId);
		this.#options = options;
		this.#uplink = new Uplink(options.link, options);
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

	stats(): DeviceStats {
		const faults = Object.fromEntries(this.#options.faults.all.map((fault) => [fault.name, fault.injected]));
		return { ...this.#uplink.stats(), faults };
	}

	/** Resolves when nothing waits to be acknowledged, or `signal` aborts. */
	drained(signal: AbortSignal): Promise<void> {
		return this.#uplink.drained(signal);
	}

	stop(): Promise<void> {
		return this.#uplink.stop();
	}

	#read(sample: Sample): DeviceReading {
		const { boot, clock, faults, link } = this.#options;
		// An ACK on a serial line names the number only, so there all sensors count together.
		const counter = link.transport === 'serial' ? '' : sample.sensorId;
		const seq = this.#seq.get(counter) ?? 0;
		this.#seq.set(counter, seq + 1);
		const now = clock();
		return faults.onReading({ ...sample, observedAt: Math.round(now), seq, boot }, now - this.#switchedOnAt);
	}
}
