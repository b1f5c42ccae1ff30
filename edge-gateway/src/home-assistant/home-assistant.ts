import type { Reading } from '@crowdvision/contracts';
import { CheckpointFile, type Log } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';
import type { Sender } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import { configTopic, discoveryOf, type Entity, stateTopic, uniqueId } from './discovery.ts';
import { type HomeAssistantConfig, type HomeAssistantOptions, homeAssistantOptions } from './home-assistant-config.ts';

interface Parts {
	log: Log;
	registry: Registry;
	local: LocalBroker;
	gatewayId: string;
	logger: Logger;
	/** Where it is kept what Home Assistant was told of, so that it can be told of the end. */
	path: string;
}

/** Values of one sensor go out at most so often; the last one counts. */
const TURN_MS = 1000;
/** Sensors that are gone, and rooms that have another name, are noticed so often where nothing is measured. */
const LOOK_EVERY_MS = 10_000;
/** How far back in the log sensors are looked for at the start. */
const LOOK_BACK = 5000;
/** After it has started, Home Assistant subscribes to what it is told of. */
const SUBSCRIBES_MS = 2000;
const DAY_MS = 24 * 3600_000;
const MOST_ENTITIES = 10_000;

/**
 * Tells Home Assistant of every known sensor:
 *
 *   log ─▶ latest value of each sensor and metric ─┬─▶ {prefix}/sensor/{unique}/config, retained, when it changes
 *   registry: names, what is gone ─────────────────┘   {prefix}/sensor/{unique}/state, at most once a second
 *   {prefix}/status "online" ─▶ all of it again
 *
 * Values are not retained: they would be written to disk once a second for each sensor, to be told again when Home
 * Assistant starts, as they are anyhow. Taken from the log, they are the same whatever transport and format they came
 * by.
 */
export class HomeAssistant {
	readonly #parts: Parts;
	readonly #file: CheckpointFile<Entity[]>;
	readonly #entities = new Map<string, Entity>();
	/** What is retained of each entity. */
	readonly #told = new Map<string, string>();
	readonly #latest = new Map<string, Reading>();
	readonly #changed = new Set<string>();
	readonly #statuses = new Set<string>();
	#options: HomeAssistantOptions;
	#stopping = new AbortController();
	#running: Promise<void> = Promise.resolve();
	#bornAt: number | undefined;
	#unsaved = false;
	#untap: (() => void)[] = [];

	private constructor(config: HomeAssistantConfig, parts: Parts) {
		this.#options = homeAssistantOptions(config);
		this.#parts = parts;
		this.#file = new CheckpointFile(parts.path);
	}

	/** Reads from disk which entities Home Assistant was told of. */
	static open(config: HomeAssistantConfig, parts: Parts): HomeAssistant {
		const homeAssistant = new HomeAssistant(config, parts);
		for (const entity of homeAssistant.#file.read().value ?? [])
			homeAssistant.#entities.set(homeAssistant.#keyOf(entity), entity);
		return homeAssistant;
	}

	start(): void {
		const { local } = this.#parts;
		if (!this.#options.enabled) {
			// Switched off since: Home Assistant is told of the end.
			this.#running = this.#end().catch((error: unknown) => {
				// It is tried again at the next start: what it was told of is still known.
				this.#parts.logger.error({ err: error }, 'home assistant: could not be told of the end');
			});
			return;
		}
		this.#stopping = new AbortController();
		this.#untap = [
			local.tap(`${this.#options.prefix}/status`, ({ payload }) => this.#heardOfHomeAssistant(payload.toString())),
			local.tap('status/+', ({ topic }) => this.#heardStatus(topic.slice('status/'.length))),
		];
		this.#running = this.#run(this.#stopping.signal);
	}

	async stop(): Promise<void> {
		for (const untap of this.#untap.splice(0)) untap();
		this.#stopping.abort();
		await this.#running.catch(() => undefined);
		if (this.#unsaved) await this.#save();
		await this.#file.settled();
	}

	/** Goes on with another configuration. What it no longer covers is removed from Home Assistant. */
	async update(config: HomeAssistantConfig): Promise<void> {
		await this.stop();
		const options = homeAssistantOptions(config);
		if (options.prefix !== this.#options.prefix) await this.#end();
		this.#options = options;
		this.start();
	}

	/**
	 * Whether a sender may subscribe to this: who Home Assistant signs in as, below the prefix and to the status of a
	 * sensor it was told of.
	 */
	mayHear(sender: Sender, filter: string): boolean {
		if (!this.#isIt(sender)) return false;
		if (filter.startsWith(`${this.#options.prefix}/`)) return true;
		const sensorId = filter.startsWith('status/') ? filter.slice('status/'.length) : undefined;
		return sensorId !== undefined && [...this.#entities.values()].some((entity) => entity.sensorId === sensorId);
	}

	/** Whether a sender may publish this, as far as it is below the prefix: a device must not make up sensors. */
	maySay(sender: Sender, topic: string): boolean {
		if (!this.#options.enabled || !topic.startsWith(`${this.#options.prefix}/`)) return true;
		return this.#isIt(sender) && topic === `${this.#options.prefix}/status`;
	}

	#isIt({ id, domainName }: Sender): boolean {
		return this.#options.enabled && domainName !== undefined && id === this.#options.user;
	}

	#keyOf(entity: Pick<Entity, 'sensorId' | 'metric'>): string {
		return uniqueId(this.#parts.gatewayId, entity);
	}

	async #run(signal: AbortSignal): Promise<void> {
		const { log, logger } = this.#parts;
		let next = Math.max(log.startOffset, log.endOffset - LOOK_BACK);
		while (!signal.aborted) {
			try {
				for (let more = true; more && !signal.aborted; ) {
					const read = await log.read(next);
					more = read.next !== next;
					next = read.next;
					for (const { payload } of read.records) this.#heard(JSON.parse(payload.toString()) as Reading);
				}
				await this.#tell(Date.now());
			} catch (error) {
				if (!signal.aborted) logger.error({ err: error }, 'home assistant: could not be told');
			}
			await pause(TURN_MS, signal);
			const patience = AbortSignal.any([
				signal,
				AbortSignal.timeout(this.#bornAt === undefined ? LOOK_EVERY_MS : TURN_MS),
			]);
			if (!signal.aborted) await log.waitFor(next, patience);
		}
	}

	#heard(reading: Reading): void {
		const { sensorId, metric, buildingId, roomId, receivedAt } = reading;
		const { buildings } = this.#options;
		if (sensorId === undefined || (buildings && !buildings.includes(buildingId))) return;
		const key = this.#keyOf(reading);
		const known = this.#entities.get(key);
		if (!known && this.#entities.size >= MOST_ENTITIES) return;
		const registered = this.#parts.registry.sensor(sensorId) !== undefined;
		const entity = {
			...(known ?? { sensorId, metric, hasStatus: this.#statuses.has(sensorId), heardAt: 0 }),
			buildingId,
			roomId,
			registered,
		};
		if (!known || known.buildingId !== buildingId || known.roomId !== roomId || known.registered !== registered)
			this.#unsaved = true;
		// To a day: it is not worth a write to disk for each reading.
		if (receivedAt - entity.heardAt > DAY_MS) {
			entity.heardAt = receivedAt;
			this.#unsaved = true;
		}
		this.#entities.set(key, entity);
		this.#latest.set(key, reading);
		this.#changed.add(key);
	}

	#heardStatus(sensorId: string): undefined {
		if (this.#statuses.has(sensorId) || this.#statuses.size >= MOST_ENTITIES) return;
		this.#statuses.add(sensorId);
		for (const entity of this.#entities.values()) {
			if (entity.sensorId !== sensorId || entity.hasStatus) continue;
			entity.hasStatus = true;
			this.#unsaved = true;
		}
	}

	/** Told again at once, for what it asks for, and when it has subscribed to the values, for those. */
	#heardOfHomeAssistant(state: string): undefined {
		if (state !== 'online') return;
		this.#told.clear();
		this.#bornAt = Date.now();
	}

	async #tell(now: number): Promise<void> {
		const { registry, gatewayId } = this.#parts;
		for (const [key, entity] of this.#entities) {
			if (this.#isGone(entity, now)) await this.#remove(key);
			else {
				const message = JSON.stringify(
					discoveryOf(entity, gatewayId, this.#options.prefix, registry.building(entity.buildingId)),
				);
				if (this.#told.get(key) === message) continue;
				await this.#publish(configTopic(this.#options.prefix, key), message, true);
				this.#told.set(key, message);
				// Whoever was told of it first listens to its values from now on.
				if (this.#latest.has(key)) this.#changed.add(key);
			}
		}
		if (this.#bornAt !== undefined && now - this.#bornAt >= SUBSCRIBES_MS) {
			this.#bornAt = undefined;
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
	 * A registered sensor that is so no more; one of which nothing is heard any more; one of a building that is not to be
	 * told of.
	 */
	#isGone({ sensorId, registered, buildingId, heardAt }: Entity, now: number): boolean {
		const { buildings, forgetAfterMs } = this.#options;
		if (buildings && !buildings.includes(buildingId)) return true;
		return (registered && !this.#parts.registry.sensor(sensorId)) || now - heardAt > forgetAfterMs + DAY_MS;
	}

	/** An empty retained message is the end of an entity. */
	async #remove(key: string): Promise<void> {
		await this.#publish(configTopic(this.#options.prefix, key), '', true);
		for (const map of [this.#entities, this.#told, this.#latest, this.#changed]) map.delete(key);
		this.#unsaved = true;
	}

	async #end(): Promise<void> {
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
