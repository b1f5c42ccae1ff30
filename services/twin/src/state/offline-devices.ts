import type { DeviceEvent } from '@crowdvision/contracts';
import { presenceKey, reportedAt, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { OfflineDocument } from '../store.ts';

const REMOVE_BATCH = 1000;
const REMOVE_AFTER_MS = 90 * 24 * 3600_000;

/**
 * Which devices reported themselves offline, and when. Stored, so that a restart does not make their last values
 * current again. A report is announced once, to whoever listens; if twin misses it, the value becomes stale a little
 * later.
 */
export class OfflineDevices {
	readonly #store: Store;
	readonly #offline: Collection<OfflineDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#offline = store.collection('offline');
	}

	/**
	 * Records a report, unless a later one of the same sensor is recorded. Neither counts with a time that is ahead.
	 * @param now epoch ms, by the clock that readings are judged by
	 */
	async record({ state, at: stated, ...event }: DeviceEvent, now: number): Promise<void> {
		const at = reportedAt({ at: stated }, now);
		const sensorId = presenceKey(event.sensorId, event);
		if (sensorId === undefined) return;
		return retryOnConflict(async () => {
			const known = await this.#offline.get(sensorId);
			if (known && known.value.at > at && reportedAt(known.value, now) === known.value.at) return;
			if (state === 'offline')
				await this.#store.commit([
					known ? this.#offline.replace(known, { at }) : this.#offline.insert(sensorId, { at }),
				]);
			else if (known) await this.#store.commit([this.#offline.remove(known)]);
		});
	}

	/** When each of these sensors of a building reported itself offline, in epoch ms; sensors that did not are absent. */
	async since(buildingId: string, sensorIds: readonly string[]): Promise<Map<string, number>> {
		if (sensorIds.length === 0) return new Map();
		const keys = sensorIds.flatMap((sensorId) => [sensorId, `${buildingId}/${sensorId}`]);
		return new Map(
			(await this.#offline.getAll(keys)).map(({ id, value }) => [id.slice(id.lastIndexOf('/') + 1), value.at]),
		);
	}

	/** Removes reports older than 90 days, at most 1000: such old values are stale anyway. */
	async removeOld(now: number): Promise<void> {
		const old = await this.#offline.find({ where: { at: { lt: now - REMOVE_AFTER_MS } }, limit: REMOVE_BATCH });
		await this.#store.commit(old.map(({ id }) => this.#offline.remove(id)));
	}
}
