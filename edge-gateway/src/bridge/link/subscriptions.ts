import { join } from 'node:path';
import { CheckpointFile } from '@crowdvision/log';
import type { ISubscription } from 'mqtt-packet';
import type { RemoteConnection } from '../remote/remote-connection.ts';

/**
 * The subscriptions of a bridge at its remote. What was subscribed to is stored, so that a resumed session is not asked
 * again: the remote would send every retained message once more.
 */
export class Subscriptions {
	readonly #file: CheckpointFile<{ url: string; filters: string[] }>;

	/** @param dir the bridge's own folder */
	constructor(dir: string) {
		this.#file = new CheckpointFile(join(dir, 'subscribed'));
	}

	/**
	 * Subscribes to the filters that the session does not have yet, and unsubscribes from those no longer wanted, if the
	 * remote resumed the session.
	 * @param onSubscribe called first, if there is any to subscribe to
	 * @throws Error when the remote refuses a subscription or does not answer
	 */
	async update(
		connection: RemoteConnection,
		{ url, filters: wanted, unsubscribe }: { url: string; filters: Map<string, 0 | 1 | 2>; unsubscribe: boolean },
		onSubscribe: () => void,
	): Promise<void> {
		const filters = [...wanted].map(([filter, qos]) => `${qos} ${filter}`);
		const { sessionPresent } = connection.allowed;
		const stored = this.#file.read().value;
		const existing = sessionPresent && stored?.url === url ? stored.filters : [];
		const missing: ISubscription[] = [...wanted]
			.filter(([filter, qos]) => !existing.includes(`${qos} ${filter}`))
			.map(([topic, qos]) =>
				connection.version === 5 ? { topic, qos, nl: true, rap: true, rh: sessionPresent ? 1 : 0 } : { topic, qos },
			);
		const stale = (sessionPresent ? (stored?.filters ?? []) : [])
			.map((qosAndFilter) => qosAndFilter.slice(2))
			.filter((filter) => !wanted.has(filter));
		if (unsubscribe) await connection.unsubscribe(stale);
		if (missing.length > 0) onSubscribe();
		await connection.subscribe(missing);
		if (existing.join('\n') !== filters.join('\n') || stored?.url !== url) await this.#file.write({ url, filters });
	}
}
