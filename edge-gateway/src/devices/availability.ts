import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, type Transport } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { Timeouts } from './timeouts.ts';

/** What is known of a sensor that was heard here, or that said something of itself. */
export interface SensorStatus {
	sensorId: string;
	state: DeviceEvent['state'];
	/** When it became so. */
	since: number;
	lastSeen: number;
	/** After so many ms of silence it counts as offline. */
	timeoutMs: number;
	/** The rest is as it was heard last; a sensor that only said its state has none of it. */
	transport?: Transport;
	metric?: string;
	buildingId?: string;
	roomId?: string;
	domainName?: string;
}

/** How a reading came in, as far as it says something of its sensor. */
export interface Hearing {
	transport: Transport;
	sender: { domainName: string | undefined };
}

/** Told of each change, once. `said`: the device said so itself. */
export type OnChange = (event: DeviceEvent, said: boolean) => void;

export interface AvailabilityParts {
	/** Of the file that keeps the states over restarts. */
	path: string;
	gatewayId: string;
	timeouts: Timeouts;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
}

const MOST_SENSORS = 10_000;
const FORGOTTEN_AT_ONCE = 1000;
const SWEEP_EVERY_MS = 1000;
const SAVE_AFTER_MS = 5000;

/**
 * Which sensors are there: by what their devices say (`status/{sensorId}`, connecting and going over Socket.IO), by
 * being heard, and by silence. A change is told once; at a start, what was known is told again, as whoever listens may
 * have missed it. Kept over restarts, in which nobody could be heard: silence counts from the start.
 *
 * Where several gateways share a bus, a sensor is with the one that heard it last: the others let go of it when they
 * are told that it is online there.
 */
export class Availability {
	readonly #file: CheckpointFile<SensorStatus[]>;
	readonly #sensors = new Map<string, SensorStatus>();
	readonly #gatewayId: string;
	readonly #timeouts: Timeouts;
	readonly #now: () => number;
	readonly #logger: Logger;
	#onChange: OnChange = () => undefined;
	#startedAt = 0;
	#stopped = false;
	#sweepTimer: NodeJS.Timeout | undefined;
	#saveTimer: NodeJS.Timeout | undefined;
	#listening: Subscription | undefined;

	private constructor(parts: AvailabilityParts) {
		this.#file = new CheckpointFile<SensorStatus[]>(parts.path);
		this.#gatewayId = parts.gatewayId;
		this.#timeouts = parts.timeouts;
		this.#now = parts.now;
		this.#logger = parts.logger;
	}

	/** Reads the states on disk. */
	static open(parts: AvailabilityParts): Availability {
		const availability = new Availability(parts);
		for (const sensor of availability.#file.read().value ?? []) availability.#sensors.set(sensor.sensorId, sensor);
		return availability;
	}

	/** Tells `onChange` what is known, and every change from now on. */
	async start(bus: Bus | undefined, onChange: OnChange): Promise<void> {
		this.#onChange = onChange;
		this.#startedAt = this.#now();
		for (const sensor of this.#sensors.values()) this.#tell(sensor, sensor.since, false);
		this.#sweepTimer = setInterval(() => this.#sweep(this.#now()), SWEEP_EVERY_MS).unref();
		this.#listening = await bus?.listen(CHANNELS.devices, (message) => this.#toldElsewhere(message));
	}

	/** From now on nothing changes: that the gateway lets go of its devices says nothing of them. */
	stop(): void {
		this.#stopped = true;
		clearInterval(this.#sweepTimer);
	}

	/** A reading of this sensor came in. Called for each: the usual case is a look into a table. */
	heard(
		sensorId: string,
		metric: string,
		place: { buildingId: string; roomId: string },
		{ transport, sender }: Hearing,
		at: number,
	): void {
		const known = this.#sensors.get(sensorId);
		if (
			known?.state === 'online' &&
			known.metric === metric &&
			known.roomId === place.roomId &&
			known.transport === transport
		) {
			known.lastSeen = at;
			return;
		}
		const sensor = known ?? this.#begin(sensorId, at);
		sensor.lastSeen = at;
		sensor.transport = transport;
		sensor.metric = metric;
		sensor.buildingId = place.buildingId;
		sensor.roomId = place.roomId;
		if (sender.domainName !== undefined) sensor.domainName = sender.domainName;
		sensor.timeoutMs = Math.max(known?.timeoutMs ?? 0, this.#timeouts.of(metric));
		if (!known || sensor.state !== 'online') this.#change(sensor, 'online', at, false);
	}

	/** Its device said how it is, or connected or went. */
	said(sensorId: string, state: DeviceEvent['state'], domainName: string | undefined): void {
		if (this.#stopped) return;
		const at = this.#now();
		const known = this.#sensors.get(sensorId);
		const sensor = known ?? this.#begin(sensorId, at);
		if (domainName !== undefined) sensor.domainName = domainName;
		if (state === 'online') sensor.lastSeen = at;
		if (!known || sensor.state !== state) this.#change(sensor, state, at, true);
	}

	get(sensorId: string): SensorStatus | undefined {
		return this.#sensors.get(sensorId);
	}

	list(visible: (sensor: SensorStatus) => boolean): SensorStatus[] {
		return [...this.#sensors.values()].filter(visible);
	}

	/** How many there are of each state. */
	counts(): Record<DeviceEvent['state'], number> {
		const counts = { online: 0, offline: 0 };
		for (const { state } of this.#sensors.values()) counts[state]++;
		return counts;
	}

	async close(): Promise<void> {
		this.stop();
		await this.#listening?.close();
		clearTimeout(this.#saveTimer);
		await this.#save();
	}

	#begin(sensorId: string, at: number): SensorStatus {
		if (this.#sensors.size >= MOST_SENSORS) this.#forgetSome();
		const sensor: SensorStatus = {
			sensorId,
			state: 'offline',
			since: at,
			lastSeen: at,
			timeoutMs: this.#timeouts.byDefault,
		};
		this.#sensors.set(sensorId, sensor);
		return sensor;
	}

	#change(sensor: SensorStatus, state: DeviceEvent['state'], at: number, said: boolean): void {
		sensor.state = state;
		sensor.since = at;
		this.#tell(sensor, at, said);
		this.#saveSoon();
	}

	#tell({ sensorId, state }: SensorStatus, at: number, said: boolean): void {
		this.#onChange({ sensorId, state, at, gatewayId: this.#gatewayId }, said);
	}

	#sweep(now: number): void {
		for (const sensor of this.#sensors.values()) {
			if (sensor.state === 'online' && now - Math.max(sensor.lastSeen, this.#startedAt) > sensor.timeoutMs) {
				this.#change(sensor, 'offline', now, false);
			}
		}
	}

	/** Another gateway tells of a sensor that was heard here too. */
	#toldElsewhere(message: string): void {
		let event: DeviceEvent;
		try {
			event = JSON.parse(message) as DeviceEvent;
		} catch {
			this.#logger.warn('what was announced of a device is not JSON');
			return;
		}
		const sensor = this.#sensors.get(event.sensorId);
		if (!sensor || event.gatewayId === this.#gatewayId) return;
		const isHere = sensor.state === 'online' && sensor.lastSeen > event.at - sensor.timeoutMs;
		if (event.state === 'online' && event.at >= sensor.lastSeen) {
			this.#sensors.delete(event.sensorId);
			this.#saveSoon();
		} else if (event.state === 'offline' && isHere) this.#tell(sensor, this.#now(), false);
	}

	/** Offline ones first, then those silent the longest. */
	#forgetSome(): void {
		const order = [...this.#sensors.values()].sort((a, b) =>
			a.state === b.state ? a.lastSeen - b.lastSeen : a.state === 'offline' ? -1 : 1,
		);
		for (const { sensorId } of order.slice(0, FORGOTTEN_AT_ONCE)) this.#sensors.delete(sensorId);
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => {
			this.#saveTimer = undefined;
			void this.#save();
		}, SAVE_AFTER_MS).unref();
	}

	/** Resolves when it is on disk, or the disk has refused it. */
	#save(): Promise<void> {
		const written = this.#file.write([...this.#sensors.values()]);
		return written.catch((error: unknown) => this.#logger.warn({ err: error }, 'who is there could not be written'));
	}
}
