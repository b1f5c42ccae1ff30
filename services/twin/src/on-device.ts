import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';
import { type Logger, retryOnConflict } from '@crowdvision/service-kit';
import { type Collection, type Store, Turns } from '@crowdvision/store';
import type { OfflineDocument } from './documents.ts';

const MOST_WAITING = 10_000;
const FORGET_BATCH = 1000;
const FORGET_AFTER_MS = 90 * 24 * 3600_000;

/**
 * Devices that said they are gone, and when. Kept, so that a restart does not make their last words current again. Who
 * misses such a word (it is told once, to whoever listens) finds the value stale soon after.
 */
export class OfflineDevices {
	readonly #store: Store;
	readonly #offline: Collection<OfflineDocument>;
	readonly #logger: Logger;
	readonly #turns = new Turns(MOST_WAITING);

	constructor(store: Store, logger: Logger) {
		this.#store = store;
		this.#offline = store.collection('offline');
		this.#logger = logger;
	}

	follow(bus: Bus): Promise<Subscription> {
		return bus.listen(CHANNELS.devices, (message) => {
			const event = parse(message);
			if (!event) return;
			this.#turns
				.take(() => this.heard(event))
				.catch((error: unknown) =>
					this.#logger.warn({ err: error, sensorId: event.sensorId }, 'that a device came or went could not be kept'),
				);
		});
	}

	/** Keeps what a device event says, unless something later is known. */
	heard({ sensorId, state, at }: DeviceEvent): Promise<void> {
		return retryOnConflict(async () => {
			const known = await this.#offline.get(sensorId);
			if (known && known.value.at > at) return;
			if (state === 'offline')
				await this.#store.commit([
					known ? this.#offline.replace(known, { at }) : this.#offline.insert(sensorId, { at }),
				]);
			else if (known) await this.#store.commit([this.#offline.remove(known)]);
		});
	}

	/** When each of these said that it is gone; those that did not are not in it. */
	async since(sensorIds: readonly string[]): Promise<Map<string, number>> {
		if (sensorIds.length === 0) return new Map();
		return new Map((await this.#offline.getAll(sensorIds)).map(({ id, value }) => [id, value.at]));
	}

	/** Forgets devices that went long ago: what they measured is stale whoever says so. */
	async forget(now: number): Promise<void> {
		const old = await this.#offline.find({ where: { at: { lt: now - FORGET_AFTER_MS } }, limit: FORGET_BATCH });
		await this.#store.commit(old.map(({ id }) => this.#offline.remove(id)));
	}
}

function parse(message: string): DeviceEvent | undefined {
	try {
		const { sensorId, state, at, gatewayId } = JSON.parse(message) as Partial<DeviceEvent>;
		if (typeof sensorId !== 'string' || typeof at !== 'number' || (state !== 'online' && state !== 'offline'))
			return undefined;
		return { sensorId, state, at, gatewayId: String(gatewayId) };
	} catch {
		return undefined;
	}
}
