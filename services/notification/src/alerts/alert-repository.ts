import type { Alert } from '@crowdvision/contracts';
import type { Collection, Kept, Store, Write } from '@crowdvision/store';
import { type AlertDocument, type CounterDocument, type OutboxDocument, outboxKey } from '../store.ts';

const ANNOUNCED = 'announced';

/** The alerts as they are kept, and what is to be announced of them. */
export class AlertBook {
	readonly #alerts: Collection<AlertDocument>;
	readonly #outbox: Collection<OutboxDocument>;
	readonly #counters: Collection<CounterDocument>;

	constructor(store: Store) {
		this.#alerts = store.collection('alerts');
		this.#outbox = store.collection('outbox');
		this.#counters = store.collection('counters');
	}

	/**
	 * The writes that keep these alerts, the last of each, and announce all of them in this order. They count the
	 * announcements up from what is kept, so two that are made of the same count exclude each other: what is announced
	 * has one order, whoever decides it.
	 */
	async writesOf(changes: readonly Alert[]): Promise<Write[]> {
		return changes.length === 0 ? [] : this.#write(changes, await this.#alerts.getAll(changes.map(({ id }) => id)));
	}

	/** The same of an alert that is acknowledged as it was read. */
	acknowledgement(read: Kept<AlertDocument>, acknowledged: Alert, accountId: string): Promise<Write[]> {
		return this.#write([acknowledged], [read], accountId);
	}

	/** The unresolved alerts of a room, of breaches. */
	async standing(buildingId: string, roomId: string): Promise<Alert[]> {
		const found = await this.#alerts.find({ where: { buildingId, roomId, standing: true }, limit: 100 });
		return found.map(({ value }) => value.alert);
	}

	async #write(
		changes: readonly Alert[],
		read: readonly Kept<AlertDocument>[],
		acknowledgedBy?: string,
	): Promise<Write[]> {
		const counter = await this.#counters.get(ANNOUNCED);
		const kept = new Map(read.map((one) => [one.id, one]));
		const first = (counter?.value.count ?? 0) + 1;
		const last = new Map<string, AlertDocument>();
		for (const [index, alert] of changes.entries()) {
			const before = last.get(alert.id) ?? kept.get(alert.id)?.value;
			last.set(alert.id, {
				...documentOf(alert, before?.number ?? first + index),
				...signatureOf(before?.acknowledgedBy ?? acknowledgedBy),
			});
		}
		const count = { count: first + changes.length - 1 };
		return [
			counter ? this.#counters.replace(counter, count) : this.#counters.insert(ANNOUNCED, count),
			...[...last].map(([id, document]) => {
				const known = kept.get(id);
				return known ? this.#alerts.replace(known, document) : this.#alerts.insert(id, document);
			}),
			...changes.map((alert, index) => this.#outbox.insert(outboxKey(first + index), { alert })),
		];
	}
}

const signatureOf = (acknowledgedBy: string | undefined) => (acknowledgedBy === undefined ? {} : { acknowledgedBy });

function documentOf(alert: Alert, number: number): AlertDocument {
	const { buildingId, roomId, kind, state } = alert;
	const standing = state !== 'resolved' && kind !== 'manual';
	return { number, buildingId, ...(roomId !== undefined && { roomId }), kind, standing, alert };
}
