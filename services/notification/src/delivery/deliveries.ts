import type { Alert, DeliveryChannel } from '@crowdvision/contracts';
import { CrowdVisionError } from '@crowdvision/contracts';
import {
	type Collection,
	type DocumentCursor,
	documentPage,
	type Store,
	type Versioned,
	type Write,
} from '@crowdvision/store';
import type { Recipients } from '../recipients/recipients.ts';
import { type DeliveryDocument, type PlanDocument, type PlannedRow, rowKey } from '../recipients/row.ts';
import { type Change, rowsFor } from '../recipients/rows-for.ts';

/** How long rows are kept. */
const KEPT_MS = 90 * 24 * 3600_000;
const REMOVE_BATCH = 200;
/** Rows of one alert. */
const MAX_ROWS = 10_000;
/** Plans that are compared with their rows at a time. */
const CHECKED_PLANS = 50;
const PAGE = 500;

/** The rows of all deliveries: the outbox of every channel, and the ledger of what became of each message. */
export class Deliveries {
	readonly #store: Store;
	readonly #rows: Collection<DeliveryDocument>;
	readonly #plans: Collection<PlanDocument>;
	readonly #recipients: Recipients;

	constructor(store: Store, recipients: Recipients) {
		this.#store = store;
		this.#rows = store.collection('deliveries');
		this.#plans = store.collection('plans');
		this.#recipients = recipients;
	}

	/**
	 * The writes of the rows for changes of alerts, in this order; commit them together with the changes. A row that
	 * exists is not made again; one that was suppressed is, where the recipient is called after all.
	 */
	async writesOf(changes: readonly Change[], now: number): Promise<Write[]> {
		const writes: Write[] = [];
		const known = new Map<string, PlannedRow | DeliveryDocument>();
		const plans = new Map<string, { read: Versioned<PlanDocument> | undefined; rows: number; alertId: string }>();
		for (const change of changes) {
			const { alert } = change;
			const context = await this.#recipients.contextOf(change, now);
			const earlier = await this.ofAlert(alert.id);
			for (const { id, value } of earlier) if (!known.has(id)) known.set(id, value);
			const called = new Set(
				[...known.values()]
					.filter((row) => row.alert.id === alert.id && row.status !== 'suppressed' && row.status !== 'failed')
					.map((row) => `${row.channel} ${row.recipient}`),
			);
			const wasCalled = (channel: DeliveryChannel, recipient: string) => called.has(`${channel} ${recipient}`);
			const planned = rowsFor(change, { ...context, wasCalled });
			let added = 0;
			for (const row of planned) {
				const key = rowKey(row);
				const before = known.get(key);
				if (before && (before.status !== 'suppressed' || row.status === 'suppressed')) continue;
				known.set(key, row);
				const document: DeliveryDocument = { ...row, alertId: alert.id, at: now, due: now, since: now, attempts: 0 };
				// The alert is written in the same commit, on the condition that nobody else has changed it.
				writes.push(this.#rows.put(key, document));
				if (!before) added++;
			}
			const planId = `${alert.id} ${alert.state}`;
			const plan = plans.get(planId) ?? { read: await this.#plans.get(planId), rows: 0, alertId: alert.id };
			plans.set(planId, { ...plan, rows: plan.rows + added });
		}
		for (const [id, { read, rows, alertId }] of plans) {
			if (rows === 0) continue;
			const plan = { alertId, rows: rows + (read?.value.rows ?? 0), at: now };
			writes.push(read ? this.#plans.replace(read, plan) : this.#plans.insert(id, plan));
		}
		return writes;
	}

	/** All rows of an alert, the earliest first. */
	ofAlert(alertId: string): Promise<Versioned<DeliveryDocument>[]> {
		return this.#rows.find({ where: { alertId }, order: { by: 'at' }, limit: MAX_ROWS });
	}

	/**
	 * Pending rows of a channel that are due, the longest due first, without those whose recipient is in `busy`; at most
	 * `want`. However many wait for one recipient, those of the others are found.
	 */
	async due(
		channel: DeliveryChannel,
		now: number,
		busy: (recipient: string) => boolean,
		want: number,
	): Promise<Versioned<DeliveryDocument>[]> {
		const found = new Map<string, Versioned<DeliveryDocument>>();
		let after: DocumentCursor | undefined;
		do {
			const page: { documents: Versioned<DeliveryDocument>[]; next: DocumentCursor | undefined } = await documentPage(
				this.#rows,
				{
					sections: [{ channel, status: 'pending', due: { lte: now } }],
					by: 'due',
					descending: false,
					limit: PAGE,
					after,
				},
			);
			for (const row of page.documents) {
				const { recipient } = row.value;
				if (found.size < want && !found.has(recipient) && !busy(recipient)) found.set(recipient, row);
			}
			after = page.next;
		} while (after && found.size < want);
		return [...found.values()];
	}

	/** When the next pending row of a channel is due, in epoch ms; undefined without one. */
	async nextDue(channel: DeliveryChannel, after: number): Promise<number | undefined> {
		const where = { channel, status: 'pending', due: { gt: after } };
		const [next] = await this.#rows.find({ where, order: { by: 'due' }, limit: 1 });
		return next?.value.due;
	}

	/** Replaces a row as it was read; resolves with it, or with undefined where another process was faster. */
	async change(
		read: Versioned<DeliveryDocument>,
		change: Partial<DeliveryDocument>,
	): Promise<Versioned<DeliveryDocument> | undefined> {
		try {
			await this.#store.commit([this.#rows.replace(read, { ...read.value, ...change })]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') return undefined;
			throw error;
		}
		return this.#rows.get(read.id);
	}

	/** A page of the dead letters of a domain, the latest first. */
	deadLetters(
		domainName: string,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ documents: Versioned<DeliveryDocument>[]; next: DocumentCursor | undefined }> {
		return documentPage(this.#rows, { sections: [{ domainName, status: 'failed' }], by: 'at', ...page });
	}

	/** Has a dead letter of a domain sent again, for another day. @throws CrowdVisionError `not_found`, `conflict` */
	async sendAgain(domainName: string, key: string, now: number): Promise<Versioned<DeliveryDocument>> {
		const row = await this.#rows.get(key);
		if (row?.value.domainName !== domainName) throw new CrowdVisionError('not_found', 'There is no such message');
		if (row.value.status !== 'failed') throw new CrowdVisionError('conflict', 'This message has not failed');
		const { reason: _reason, claim: _claim, ...rest } = row.value;
		await this.#store.commit([this.#rows.replace(row, { ...rest, status: 'pending', due: now, since: now })]);
		return (await this.#rows.get(key))!;
	}

	/**
	 * By how many rows what was decided differs from what is there, over the latest decisions: 0 unless a message was
	 * lost.
	 */
	async imbalance(): Promise<number> {
		const plans = await this.#plans.find({ order: { by: 'at', descending: true }, limit: CHECKED_PLANS });
		let difference = 0;
		for (const { id, value } of plans) {
			const rows = (await this.ofAlert(value.alertId)).filter(
				(row) => `${value.alertId} ${row.value.alert.state}` === id,
			);
			// A row that was added in between is no loss.
			difference += Math.max(0, value.rows - rows.length);
		}
		return difference;
	}

	/** Removes what is older than 90 days; call it from time to time. */
	async forget(now: number): Promise<void> {
		const where = { at: { lt: now - KEPT_MS } };
		for (const collection of [this.#plans, this.#rows] as Collection<{ at: number }>[]) {
			const old = await collection.find({ where, order: { by: 'at' }, limit: REMOVE_BATCH });
			if (old.length > 0) await this.#store.commit(old.map(({ id }) => collection.remove(id)));
		}
	}

	/** Whether an earlier message about an alert has reached this recipient. */
	async hasReached(alert: Pick<Alert, 'id' | 'state'>, channel: DeliveryChannel, recipient: string): Promise<boolean> {
		const rows = await this.ofAlert(alert.id);
		return rows.some(
			({ value }) =>
				value.channel === channel &&
				value.recipient === recipient &&
				value.alert.state !== alert.state &&
				value.status === 'delivered',
		);
	}
}
