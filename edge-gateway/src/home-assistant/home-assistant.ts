/** Announces sensors to Home Assistant, and publishes their values for it. */
import type { MetricLookup, Reading } from '@crowdvision/contracts';
import { CheckpointFile, type Log } from '@crowdvision/log';
import { keepRunning, type Logger, pause } from '@crowdvision/service-kit';
import type { Sender } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import { TenantTopics } from '../topics/tenant-topics.ts';
import { configTopic, discoveryOf, type Entity, stateTopic, uniqueId } from './discovery.ts';
import { type HomeAssistantConfig, type HomeAssistantOptions, homeAssistantOptions } from './home-assistant-config.ts';

interface Parts {
	log: Log;
	registry: Registry;
	local: LocalBroker;
	/** The metrics that sensors may measure. */
	catalog: MetricLookup;
	gatewayId: string;
	logger: Logger;
	/** Epoch ms, by the clock that readings are received by. */
	now: () => number;
	/** Path of the file with the announced entities, so that they can be removed later. */
	path: string;
}

/** Shortest time between two values of a sensor; only the latest value is sent. */
const STEP_MS = 1000;
/** How soon removed sensors and renamed rooms are noticed while no readings arrive. */
const CHECK_MS = 10_000;
/** How many of the last readings in the log are searched for sensors at the start. */
const LOOK_BACK = 5000;
/** How long Home Assistant takes after its start to subscribe to the announced entities. */
const SUBSCRIBE_MS = 2000;
const DAY_MS = 24 * 3600_000;
const MAX_ENTITIES = 10_000;

/**
 * Announces every known sensor to Home Assistant:
 *
 *   log ─▶ latest value of each sensor and metric ─┬─▶ {prefix}/sensor/{unique}/config, retained, when it changes
 *   registry: names, removed sensors ──────────────┘   {prefix}/sensor/{unique}/state, at most once a second
 *   {prefix}/status "online" ─▶ all of it again
 *
 * Values are not retained: that would write to disk once a second for each sensor, and all values are sent again anyway
 * when Home Assistant starts. They are read from the log, so they do not depend on transport and format.
 */
export class HomeAssistant {
	readonly #parts: Parts;
	readonly #file: CheckpointFile<Entity[]>;
	readonly #topics: TenantTopics;
	readonly #entities = new Map<string, Entity>();
	/** The retained discovery message of each entity. */
	readonly #announced = new Map<string, string>();
	readonly #latest = new Map<string, Reading>();
	readonly #changed = new Set<string>();
	/** Sensors that have a topic below `status/`, by its name. */
	readonly #statuses = new Set<string>();
	#options: HomeAssistantOptions;
	#stopping = new AbortController();
	#running: Promise<void> = Promise.resolve();
	/** When Home Assistant reported its start, until it has got all values; epoch ms. */
	#startedAt: number | undefined;
	#unsaved = false;
	#endTaps: (() => void)[] = [];

	private constructor(config: HomeAssistantConfig, parts: Parts) {
		this.#options = homeAssistantOptions(config);
		this.#parts = parts;
		this.#topics = new TenantTopics(parts.registry);
		this.#file = new CheckpointFile(parts.path);
	}

	/** Reads the announced entities from disk. */
	static open(config: HomeAssistantConfig, parts: Parts): HomeAssistant {
		const homeAssistant = new HomeAssistant(config, parts);
		for (const entity of homeAssistant.#file.read().value ?? [])
			homeAssistant.#entities.set(homeAssistant.#keyOf(entity), entity);
		return homeAssistant;
	}

	start(): void {
		const { local } = this.#parts;
		if (!this.#options.enabled) {
			// It was switched off since the last run: the entities are removed from Home Assistant.
			this.#running = this.#removeAll().catch((error: unknown) => {
				// The file still has the entities, so the next start tries again.
				this.#parts.logger.error({ err: error }, 'home assistant: the sensors could not be removed');
			});
			return;
		}
		this.#stopping = new AbortController();
		this.#endTaps = [
			local.tap(`${this.#options.prefix}/status`, ({ payload }) => this.#onHomeAssistant(payload.toString())),
			local.tap('status/#', ({ topic }) => this.#onStatus(topic.slice('status/'.length))),
		];
		this.#running = this.#run(this.#stopping.signal);
	}

	async stop(): Promise<void> {
		for (const endTap of this.#endTaps.splice(0)) endTap();
		this.#stopping.abort();
		await this.#running.catch(() => undefined);
		if (this.#unsaved) await this.#save();
		await this.#file.settled();
	}

	/** Applies another configuration. Sensors that it no longer covers are removed from Home Assistant. */
	async update(config: HomeAssistantConfig): Promise<void> {
		await this.stop();
		const options = homeAssistantOptions(config);
		if (options.prefix !== this.#options.prefix) await this.#removeAll();
		this.#options = options;
		this.start();
	}

	/**
	 * Whether a sender may subscribe to a filter: only the configured user may, below the prefix and to the status of an
	 * announced sensor.
	 */
	maySubscribe(sender: Sender, filter: string): boolean {
		if (!this.#isUser(sender)) return false;
		if (filter.startsWith(`${this.#options.prefix}/`)) return true;
		const sensorId = filter.startsWith('status/') ? filter.slice('status/'.length) : undefined;
		return sensorId !== undefined && [...this.#entities.values()].some((entity) => knownAs(entity) === sensorId);
	}

	/**
	 * Whether a sender may publish to a topic. Below the prefix devices may not, as they could announce false sensors.
	 */
	mayPublish(sender: Sender, topic: string): boolean {
		if (!this.#options.enabled || !topic.startsWith(`${this.#options.prefix}/`)) return true;
		return this.#isUser(sender) && topic === `${this.#options.prefix}/status`;
	}

	#isUser({ id, domainName }: Sender): boolean {
		return this.#options.enabled && domainName !== undefined && id === this.#options.user;
	}

	/** The sensor of a reading in the names that others know it by; undefined if that is its id. */
	#knownAs({ sensorId, buildingId, senderDomain }: Pick<Reading, 'sensorId' | 'buildingId' | 'senderDomain'>) {
		const [owner] = this.#parts.registry.building(buildingId)?.domains ?? [];
		const name = this.#topics.nameOf(sensorId, owner ?? senderDomain);
		return name === sensorId ? undefined : name;
	}

	#keyOf(entity: Pick<Entity, 'sensorId' | 'knownAs' | 'metric'>): string {
		return uniqueId(this.#parts.gatewayId, entity);
	}

	async #run(signal: AbortSignal): Promise<void> {
		const { log, logger } = this.#parts;
		let next = Math.max(log.startOffset, log.endOffset - LOOK_BACK);
		const step = async (): Promise<void> => {
			for (let more = true; more && !signal.aborted; ) {
				const read = await log.read(next);
				more = read.next !== next;
				next = read.next;
				for (const { payload } of read.records) this.#take(JSON.parse(payload.toString()) as Reading);
			}
			await this.#publishChanges(this.#parts.now());
			await pause(STEP_MS, signal);
			const timeout = AbortSignal.timeout(this.#startedAt === undefined ? CHECK_MS : STEP_MS);
			if (!signal.aborted) await log.waitFor(next, AbortSignal.any([signal, timeout]));
		};
		await keepRunning(step, {
			what: 'publishing to Home Assistant',
			level: 'error',
			firstMs: STEP_MS,
			longestMs: CHECK_MS,
			signal,
			logger,
		});
	}

	#take(reading: Reading): void {
		const { sensorId, sensorName, metric, buildingId, roomId, receivedAt, freshFor } = reading;
		const { buildings } = this.#options;
		if (sensorId === undefined || (buildings && !buildings.includes(buildingId))) return;
		const other = this.#knownAs(reading);
		const named = { sensorId, metric, ...(other !== undefined && { knownAs: other }) };
		const key = this.#keyOf(named);
		const known = this.#entities.get(key);
		if (!known && this.#entities.size >= MAX_ENTITIES) return;
		const registered = this.#parts.registry.sensorOfTenants(sensorId, buildingId) !== undefined;
		const entity = {
			...(known ?? { ...named, hasStatus: this.#statuses.has(knownAs(named)), heardAt: 0 }),
			buildingId,
			roomId,
			registered,
			...(freshFor !== undefined && { freshFor }),
			...(sensorName !== undefined && { name: sensorName }),
		};
		if (!known || known.buildingId !== buildingId || known.roomId !== roomId || known.registered !== registered)
			this.#unsaved = true;
		// Exact to a day, to avoid a write to disk for each reading.
		if (receivedAt - entity.heardAt > DAY_MS) {
			entity.heardAt = receivedAt;
			this.#unsaved = true;
		}
		this.#entities.set(key, entity);
		this.#latest.set(key, reading);
		this.#changed.add(key);
	}

	/** Notes that the device of a sensor publishes its status. */
	#onStatus(name: string): undefined {
		if (this.#statuses.has(name) || this.#statuses.size >= MAX_ENTITIES) return;
		this.#statuses.add(name);
		for (const entity of this.#entities.values()) {
			if (knownAs(entity) !== name || entity.hasStatus) continue;
			entity.hasStatus = true;
			this.#unsaved = true;
		}
	}

	/** After a start of Home Assistant, announces all entities again at once, and their values when it has subscribed. */
	#onHomeAssistant(state: string): undefined {
		if (state !== 'online') return;
		this.#announced.clear();
		this.#startedAt = this.#parts.now();
	}

	/** Publishes changed discovery messages and values, and removes entities that are gone. */
	async #publishChanges(now: number): Promise<void> {
		const { registry, gatewayId, catalog } = this.#parts;
		for (const [key, entity] of this.#entities) {
			if (this.#isGone(entity, now)) await this.#remove(key);
			else {
				const message = JSON.stringify(
					discoveryOf(entity, gatewayId, this.#options.prefix, registry.building(entity.buildingId), catalog),
				);
				if (this.#announced.get(key) === message) continue;
				await this.#publish(configTopic(this.#options.prefix, key), message, true);
				this.#announced.set(key, message);
				// Home Assistant subscribes to the values when it gets the first discovery message.
				if (this.#latest.has(key)) this.#changed.add(key);
			}
		}
		if (this.#startedAt !== undefined && now - this.#startedAt >= SUBSCRIBE_MS) {
			this.#startedAt = undefined;
			for (const key of this.#latest.keys()) this.#changed.add(key);
		}
		for (const key of this.#changed) {
			this.#changed.delete(key);
			const reading = this.#latest.get(key);
			if (reading) await this.#publish(stateTopic(this.#options.prefix, key), stateOf(reading), false);
		}
		if (this.#unsaved) await this.#save();
	}

	/**
	 * Whether an entity is to be removed: its sensor was unregistered, has been silent past `forgetAfter`, or is in a
	 * building that is not announced, or is known otherwise now.
	 */
	#isGone(entity: Entity, now: number): boolean {
		const { sensorId, registered, buildingId, heardAt } = entity;
		const { buildings, forgetAfterMs } = this.#options;
		if (buildings && !buildings.includes(buildingId)) return true;
		const { registry } = this.#parts;
		const isKnown = registry.building(buildingId) !== undefined;
		if (isKnown && (this.#knownAs(entity) ?? sensorId) !== knownAs(entity)) return true;
		const isRegistered = () =>
			isKnown
				? registry.sensorOfTenants(sensorId, buildingId) !== undefined
				: registry.sensors(sensorId).some((sensor) => sensor.buildingId === buildingId);
		return (registered && !isRegistered()) || now - heardAt > forgetAfterMs + DAY_MS;
	}

	/** Removes an entity, which MQTT discovery does by an empty retained message. */
	async #remove(key: string): Promise<void> {
		await this.#publish(configTopic(this.#options.prefix, key), '', true);
		for (const map of [this.#entities, this.#announced, this.#latest, this.#changed]) map.delete(key);
		this.#unsaved = true;
	}

	async #removeAll(): Promise<void> {
		for (const key of [...this.#entities.keys()]) await this.#remove(key);
		if (this.#unsaved) await this.#save();
	}

	async #save(): Promise<void> {
		this.#unsaved = false;
		await this.#file.write([...this.#entities.values()]);
	}

	#publish(topic: string, text: string, retain: boolean): Promise<void> {
		return this.#parts.local.publish({ topic, payload: Buffer.from(text), qos: 1, retain });
	}
}

const knownAs = ({ sensorId, knownAs = sensorId }: Pick<Entity, 'sensorId' | 'knownAs'>) => knownAs;

/** The state message: the value, and the other members as attributes. */
function stateOf({ value, observedAt, receivedAt, buildingId, roomId, transport, timeQuality }: Reading): string {
	const attributes = {
		observedAt: new Date(observedAt).toISOString(),
		receivedAt: new Date(receivedAt).toISOString(),
		buildingId,
		roomId,
		transport,
		timeQuality,
	};
	return JSON.stringify({ value, attributes });
}
