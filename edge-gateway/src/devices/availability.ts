/** Keeps which sensors are online, and announces each change. */
import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, type SensorStatus, type Transport } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { Timeouts } from './timeouts.ts';

/** The transport and sender of a reading. */
export interface ReadingOrigin {
	transport: Transport;
	/** Topic, path or port. */
	source: string;
	sender: { id: string; domainName: string | undefined };
}

/** What a message says of sensors of its sender: see `Presence` of the decoders. */
export interface ToldPresence {
	state: DeviceEvent['state'];
	of: { kind: 'sensor'; ids: readonly string[]; below: boolean } | { kind: 'topic'; topic: string; below: boolean };
}

/** Called once for each change. `isReported`: the device itself reported its state. */
export type OnChange = (event: DeviceEvent, isReported: boolean) => void;

/** What `Availability` needs. */
export interface AvailabilityParts {
	/** Path of the file that keeps the states across restarts. */
	path: string;
	gatewayId: string;
	timeouts: Timeouts;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
}

const MAX_SENSORS = 10_000;
/** How many are forgotten at a time above the bound. */
const FORGET_COUNT = 1000;
const SWEEP_EVERY_MS = 1000;
const SAVE_AFTER_MS = 5000;

/**
 * Which sensors are online: by what their devices report (`status/{sensorId}`, connecting and disconnecting over
 * Socket.IO), by readings and by silence. Each change is announced once; at a start all known states are announced
 * again, as a listener may have missed them. The states are kept across restarts. Nothing could be received while the
 * gateway was down, so silence counts from the start.
 *
 * If several gateways share a bus, a sensor belongs to the one that received it last. The others forget it when that
 * gateway announces it as online.
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

	/** Calls `onChange` for every known state, and for every change from now on. */
	async start(bus: Bus | undefined, onChange: OnChange): Promise<void> {
		this.#onChange = onChange;
		this.#startedAt = this.#now();
		for (const sensor of this.#sensors.values()) this.#notify(sensor, sensor.since, false);
		this.#sweepTimer = setInterval(() => this.#sweep(this.#now()), SWEEP_EVERY_MS).unref();
		this.#listening = await bus?.listen(CHANNELS.devices, (message) => this.#onAnnouncement(message));
	}

	/** Stops all changes: the gateway closing its connections must not make the devices offline. */
	stop(): void {
		this.#stopped = true;
		clearInterval(this.#sweepTimer);
	}

	/** Notes a reading of this sensor. Called for every reading, so the usual case costs one look-up. */
	received(
		sensorId: string,
		metric: string,
		place: { buildingId: string; roomId: string },
		{ transport, source, sender }: ReadingOrigin,
		at: number,
	): void {
		const known = this.#sensors.get(sensorId);
		if (
			known?.state === 'online' &&
			known.metric === metric &&
			known.roomId === place.roomId &&
			known.transport === transport &&
			known.source === source &&
			known.sender === sender.id
		) {
			known.lastSeen = at;
			return;
		}
		const sensor = known ?? this.#add(sensorId, at);
		sensor.lastSeen = at;
		sensor.transport = transport;
		sensor.source = source;
		sensor.sender = sender.id;
		sensor.metric = metric;
		sensor.buildingId = place.buildingId;
		sensor.roomId = place.roomId;
		if (sender.domainName !== undefined) sensor.domainName = sender.domainName;
		sensor.timeoutMs = Math.max(known?.timeoutMs ?? 0, this.#timeouts.of(metric));
		if (!known || sensor.state !== 'online') this.#change(sensor, 'online', at, false);
	}

	/**
	 * Sets the silence after which a sensor counts as offline, by how long its values count as current (ms, by metric).
	 */
	setCadence(sensorId: string, freshFor: ReadonlyMap<string, number>): void {
		const sensor = this.#sensors.get(sensorId);
		if (sensor) sensor.timeoutMs = Math.max(...[...freshFor].map(([metric, held]) => this.#timeouts.of(metric, held)));
	}

	/** Notes a state that the device reported, or its connecting or disconnecting. */
	reported(sensorId: string, state: DeviceEvent['state'], domainName: string | undefined): void {
		if (this.#stopped) return;
		const at = this.#now();
		const known = this.#sensors.get(sensorId);
		const sensor = known ?? this.#add(sensorId, at);
		if (domainName !== undefined) sensor.domainName = domainName;
		if (state === 'online') sensor.lastSeen = at;
		if (!known || sensor.state !== state) this.#change(sensor, state, at, true);
	}

	/**
	 * Notes that sensors came or went, as a message of their sender says. Sensors of other senders are left alone,
	 * whatever their names. Returns the ids of those whose state changed.
	 */
	told({ state, of }: ToldPresence, sender: ReadingOrigin['sender']): string[] {
		if (this.#stopped) return [];
		const at = this.#now();
		const changed: string[] = [];
		for (const sensor of this.#sensors.values()) {
			if (sensor.sender !== sender.id || sensor.domainName !== sender.domainName || !isNamed(sensor, of)) continue;
			if (state === 'online') sensor.lastSeen = at;
			if (sensor.state === state) continue;
			this.#change(sensor, state, at, false);
			changed.push(sensor.sensorId);
		}
		return changed;
	}

	get(sensorId: string): SensorStatus | undefined {
		return this.#sensors.get(sensorId);
	}

	list(visible: (sensor: SensorStatus) => boolean): SensorStatus[] {
		return [...this.#sensors.values()].filter(visible);
	}

	/** Number of sensors by state. */
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

	#add(sensorId: string, at: number): SensorStatus {
		if (this.#sensors.size >= MAX_SENSORS) this.#forgetSome();
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

	#change(sensor: SensorStatus, state: DeviceEvent['state'], at: number, isReported: boolean): void {
		sensor.state = state;
		sensor.since = at;
		this.#notify(sensor, at, isReported);
		this.#saveSoon();
	}

	#notify({ sensorId, state }: SensorStatus, at: number, isReported: boolean): void {
		this.#onChange({ sensorId, state, at, gatewayId: this.#gatewayId }, isReported);
	}

	#sweep(now: number): void {
		for (const sensor of this.#sensors.values()) {
			if (sensor.state === 'online' && now - Math.max(sensor.lastSeen, this.#startedAt) > sensor.timeoutMs) {
				this.#change(sensor, 'offline', now, false);
			}
		}
	}

	/** Handles another gateway's announcement about a sensor that was received here too. */
	#onAnnouncement(message: string): void {
		let event: DeviceEvent;
		try {
			event = JSON.parse(message) as DeviceEvent;
		} catch {
			this.#logger.warn('the announcement of a device change is not JSON');
			return;
		}
		const sensor = this.#sensors.get(event.sensorId);
		if (!sensor || event.gatewayId === this.#gatewayId) return;
		const isHere = sensor.state === 'online' && sensor.lastSeen > event.at - sensor.timeoutMs;
		if (event.state === 'online' && event.at >= sensor.lastSeen) {
			this.#sensors.delete(event.sensorId);
			this.#saveSoon();
		} else if (event.state === 'offline' && isHere) this.#notify(sensor, this.#now(), false);
	}

	/** Forgets offline sensors first, then those that have been silent longest. */
	#forgetSome(): void {
		const order = [...this.#sensors.values()].sort((a, b) =>
			a.state === b.state ? a.lastSeen - b.lastSeen : a.state === 'offline' ? -1 : 1,
		);
		for (const { sensorId } of order.slice(0, FORGET_COUNT)) this.#sensors.delete(sensorId);
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => {
			this.#saveTimer = undefined;
			void this.#save();
		}, SAVE_AFTER_MS).unref();
	}

	/** Resolves when the states are on disk, or when the write has failed. */
	#save(): Promise<void> {
		const written = this.#file.write([...this.#sensors.values()], { lazy: true });
		return written.catch((error: unknown) =>
			this.#logger.warn({ err: error }, 'the states of the sensors could not be written'),
		);
	}
}

function isNamed({ sensorId, source = '' }: SensorStatus, of: ToldPresence['of']): boolean {
	if (of.kind === 'topic') return source === of.topic || (of.below && source.startsWith(`${of.topic}/`));
	return of.ids.some((id) => sensorId === id || (of.below && sensorId.startsWith(`${id}.`)));
}
