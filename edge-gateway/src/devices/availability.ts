/** Keeps which sensors are online, and announces each change. */
import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, type SensorStatus, type Transport, tenantOf } from '@crowdvision/contracts';
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

/**
 * Called once for each change. `isReported`: the device itself reported its state. `from`: which device and whose
 * sensor it is, if known.
 */
export type OnChange = (
	event: DeviceEvent,
	isReported: boolean,
	from: { device: string | undefined; domainName: string | undefined },
) => void;

/** What `Availability` needs. */
export interface AvailabilityParts {
	/** The domains of a building, for sensors at ports of this machine; empty for an unknown one. */
	domainsOf(buildingId: string): readonly string[];
	/** Path of the file that keeps the states across restarts. */
	path: string;
	gatewayId: string;
	timeouts: Timeouts;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
}

/** A sensor as it is kept, with the generation of its room. */
export type KnownSensor = SensorStatus & { generation?: string };

const keyOf = (sensorId: string, tenant: string) => `${tenant} ${sensorId}`;

const MAX_SENSORS = 10_000;
/** Sensors of one device beyond which it loses its own first. */
const SHARE = MAX_SENSORS / 4;
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
 * A sensor id belongs to a tenant: a sensor of the same id that another tenant's device sends for is another sensor.
 *
 * If several gateways share a bus, a sensor belongs to the one that received it last. The others forget it when that
 * gateway announces it as online.
 */
export class Availability {
	readonly #file: CheckpointFile<KnownSensor[]>;
	/** By tenant (empty: none) and sensor id. */
	readonly #sensors = new Map<string, KnownSensor>();
	readonly #gatewayId: string;
	readonly #domainsOf: AvailabilityParts['domainsOf'];
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
		this.#file = new CheckpointFile<KnownSensor[]>(parts.path);
		this.#gatewayId = parts.gatewayId;
		this.#domainsOf = parts.domainsOf;
		this.#timeouts = parts.timeouts;
		this.#now = parts.now;
		this.#logger = parts.logger;
	}

	/** Reads the states on disk. */
	static open(parts: AvailabilityParts): Availability {
		const availability = new Availability(parts);
		for (const sensor of availability.#file.read().value ?? []) {
			const { domainName, buildingId } = sensor;
			availability.#sensors.set(keyOf(sensor.sensorId, availability.#tenantOf(domainName, buildingId)), sensor);
		}
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
		place: { buildingId: string; roomId: string; generation?: string | undefined },
		{ transport, source, sender }: ReadingOrigin,
		at: number,
	): void {
		const key = keyOf(sensorId, this.#tenantOf(sender.domainName, place.buildingId));
		const known = this.#sensors.get(key);
		const isSamePlace = known?.buildingId === place.buildingId && known.generation === place.generation;
		if (
			known?.state === 'online' &&
			isSamePlace &&
			known.metric === metric &&
			known.roomId === place.roomId &&
			known.transport === transport &&
			known.source === source &&
			known.sender === sender.id
		) {
			known.lastSeen = at;
			return;
		}
		const before = known?.buildingId;
		const sensor = known ?? this.#add(key, sensorId, at);
		sensor.lastSeen = at;
		sensor.transport = transport;
		sensor.source = source;
		sensor.sender = sender.id;
		sensor.metric = metric;
		sensor.buildingId = place.buildingId;
		sensor.roomId = place.roomId;
		if (place.generation === undefined) delete sensor.generation;
		else sensor.generation = place.generation;
		if (sender.domainName !== undefined) sensor.domainName = sender.domainName;
		sensor.timeoutMs = Math.max(known?.timeoutMs ?? 0, this.#timeouts.of(metric));
		const moved = before !== undefined && !isSamePlace;
		if (!known || moved || sensor.state !== 'online') this.#change(sensor, 'online', at, false);
	}

	/**
	 * Sets the silence after which a sensor counts as offline, by how long its values count as current (ms, by metric).
	 */
	setCadence(
		{ sensorId, tenant }: { sensorId: string; tenant: string | undefined },
		freshFor: ReadonlyMap<string, number>,
	): void {
		for (const sensor of this.of(sensorId, tenant))
			sensor.timeoutMs = Math.max(...[...freshFor].map(([metric, held]) => this.#timeouts.of(metric, held)));
	}

	/** Notes a state that the device reported, or its connecting or disconnecting. */
	reported(sensorId: string, state: DeviceEvent['state'], domainName: string | undefined): void {
		if (this.#stopped) return;
		const at = this.#now();
		const key = domainName === undefined ? this.#onlyKey(sensorId) : keyOf(sensorId, tenantOf(domainName));
		const known = this.#sensors.get(key);
		const sensor = known ?? this.#add(key, sensorId, at);
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

	/** The sensors with this id, one per tenant; with `tenant`, its own, or one of which no tenant is known. */
	of(sensorId: string, tenant?: string): KnownSensor[] {
		if (tenant === undefined) return [...this.#sensors.values()].filter((sensor) => sensor.sensorId === sensorId);
		const sensor = this.#sensors.get(keyOf(sensorId, tenant)) ?? this.#sensors.get(keyOf(sensorId, ''));
		return sensor ? [sensor] : [];
	}

	list(visible: (sensor: KnownSensor) => boolean): SensorStatus[] {
		return [...this.#sensors.values()].filter(visible).map(({ generation: _, ...sensor }) => sensor);
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

	#tenantOf(domainName: string | undefined, buildingId: string | undefined): string {
		const domain = domainName ?? (buildingId === undefined ? undefined : this.#domainsOf(buildingId)[0]);
		return domain === undefined ? '' : tenantOf(domain);
	}

	/**
	 * The key of a sensor of which no domain is stated: that of the only sensor with this id, or of none of any tenant.
	 */
	#onlyKey(sensorId: string): string {
		const known = [...this.#sensors].filter(([, sensor]) => sensor.sensorId === sensorId);
		return known.length === 1 ? known[0]![0] : keyOf(sensorId, '');
	}

	#add(key: string, sensorId: string, at: number): KnownSensor {
		if (this.#sensors.size >= MAX_SENSORS) this.#forgetSome();
		const sensor: KnownSensor = {
			sensorId,
			state: 'offline',
			since: at,
			lastSeen: at,
			timeoutMs: this.#timeouts.byDefault,
		};
		this.#sensors.set(key, sensor);
		return sensor;
	}

	#change(sensor: KnownSensor, state: DeviceEvent['state'], at: number, isReported: boolean): void {
		sensor.state = state;
		sensor.since = at;
		this.#notify(sensor, at, isReported);
		this.#saveSoon();
	}

	#notify(sensor: KnownSensor, at: number, isReported: boolean): void {
		const { sensorId, state, domainName, buildingId, generation } = sensor;
		const event = {
			sensorId,
			state,
			at,
			gatewayId: this.#gatewayId,
			...(domainName !== undefined && { domainName }),
			...(buildingId !== undefined && { buildingId }),
			...(generation !== undefined && { generation }),
		};
		const owner = domainName ?? (buildingId === undefined ? undefined : this.#domainsOf(buildingId)[0]);
		this.#onChange(event, isReported, { device: sensor.sender, domainName: owner });
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
		const { domainName, buildingId } = event;
		const isNamed = domainName !== undefined || buildingId !== undefined;
		const key = isNamed ? keyOf(event.sensorId, this.#tenantOf(domainName, buildingId)) : this.#onlyKey(event.sensorId);
		const sensor = this.#sensors.get(key);
		if (!sensor || event.gatewayId === this.#gatewayId) return;
		const isHere = sensor.state === 'online' && sensor.lastSeen > event.at - sensor.timeoutMs;
		if (event.state === 'online' && event.at >= sensor.lastSeen) {
			this.#sensors.delete(key);
			this.#saveSoon();
		} else if (event.state === 'offline' && isHere) this.#notify(sensor, this.#now(), false);
	}

	/**
	 * Forgets offline sensors first, then those that have been silent longest; where one device sends for more than its
	 * share, only sensors of that device.
	 */
	#forgetSome(): void {
		const bySender = Map.groupBy(this.#sensors, ([, { sender = '' }]) => sender);
		const [, most] = [...bySender].reduce((a, b) => (b[1].length > a[1].length ? b : a));
		const order = (most.length > SHARE ? most : [...this.#sensors]).sort(([, a], [, b]) =>
			a.state === b.state ? a.lastSeen - b.lastSeen : a.state === 'offline' ? -1 : 1,
		);
		for (const [key] of order.slice(0, FORGET_COUNT)) this.#sensors.delete(key);
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
