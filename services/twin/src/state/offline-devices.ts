import type { DeviceEvent } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { OfflineDocument } from '../store.ts';

const FORGET_BATCH = 1000;
const FORGET_AFTER_MS = 90 * 24 * 3600_000;

/**
 * Devices that said they are gone, and when. Kept, so that a restart does not make their last words current again. Who
 * misses such a word (it is told once, to whoever listens) finds the value stale soon after.
 */
export class OfflineDevices {
	readonly #store: Store;
	readonly #offline: Collection<OfflineDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#offline = store.collection('offline');
	}

	/** Keeps what a device event says, unless something later is known. */
	record({ sensorId, state, at }: DeviceEvent): Promise<void> {
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
