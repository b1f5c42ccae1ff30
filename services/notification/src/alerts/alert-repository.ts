import { type Alert, generationKey } from '@crowdvision/contracts';
import type { Collection, Store, Versioned, Write } from '@crowdvision/store';
import { type AlertDocument, type CounterDocument, type OutboxDocument, outboxKey } from '../store.ts';
import type { AlertChange } from './change.ts';

const ANNOUNCED = 'announced';
const PAGE_SIZE = 500;

/** Plans who is told of changes: the writes are committed together with them. */
export interface Planner {
	writesOf(changes: readonly { alert: Alert; by?: string }[]): Promise<Write[]>;
	/** The name of an account; undefined for one that is not known. */
	nameOf(accountId: string): string | undefined;
}

/** The stored alerts, and the outbox of their announcements. */
export class AlertRepository {
	readonly #store: Store;
	readonly #alerts: Collection<AlertDocument>;
	readonly #outbox: Collection<OutboxDocument>;
	readonly #counters: Collection<CounterDocument>;

	readonly #planner: Planner | undefined;

	/** @param planner without one nobody is called */
	constructor(store: Store, planner?: Planner) {
		this.#store = store;
		this.#planner = planner;
		this.#alerts = store.collection('alerts');
		this.#outbox = store.collection('outbox');
		this.#counters = store.collection('counters');
	}

	/**
	 * The writes that store the last state of each alert and put every change into the outbox, in this order. They
	 * increment a counter of announcements, so of two parallel sets of changes one is refused: announcements have one
	 * order across all replicas.
	 */
	async writesOf(changes: readonly AlertChange[]): Promise<Write[]> {
		if (changes.length === 0) return [];
		return this.#write(changes, await this.#alerts.getAll(changes.map(({ alert: { id } }) => id)));
	}

	/** The same writes for an acknowledged alert. They are refused if the alert has changed since `read` was read. */
	acknowledgement(read: Versioned<AlertDocument>, acknowledged: Alert, accountId: string): Promise<Write[]> {
		return this.#write([{ what: 'acknowledged', alert: acknowledged }], [read], accountId);
	}

	/** Removes the alerts of a building whose generations are over. */
	async forget(buildingId: string, isOver: (generation: string | undefined) => boolean): Promise<void> {
		for (let beyond = 0; ; ) {
			const page = await this.#alerts.find({
				where: { buildingId, number: { gt: beyond } },
				order: { by: 'number' },
				limit: PAGE_SIZE,
			});
			const over = page.filter(({ value }) => isOver(value.generation));
			if (over.length > 0) await this.#store.commit(over.map(({ id }) => this.#alerts.remove(id)));
			if (page.length < PAGE_SIZE) return;
			beyond = page.at(-1)!.value.number;
		}
	}

	/** The unresolved alerts of a room (a `generationKey`), except manual ones. */
	async unresolved(buildingId: string, roomId: string): Promise<Alert[]> {
		const found = await this.#alerts.find({ where: { buildingId, roomId, standing: true }, limit: 100 });
		return found.map(({ value }) => value.alert);
	}

	async #write(
		changes: readonly AlertChange[],
		read: readonly Versioned<AlertDocument>[],
		acknowledgedBy?: string,
	): Promise<Write[]> {
		const counter = await this.#counters.get(ANNOUNCED);
		const stored = new Map(read.map((document) => [document.id, document]));
		const first = (counter?.value.count ?? 0) + 1;
		const next = new Map<string, AlertDocument>();
		const announced: Alert[] = [];
		for (const [index, change] of changes.entries()) {
			const before = next.get(change.alert.id) ?? stored.get(change.alert.id)?.value;
			const alert = whole(change, before?.alert);
			announced.push(alert);
			next.set(alert.id, {
				...documentOf(alert, before?.number ?? first + index),
				...signatureOf(before?.acknowledgedBy ?? acknowledgedBy),
			});
		}
		const by = acknowledgedBy === undefined ? undefined : this.#planner?.nameOf(acknowledgedBy);
		const calls = announced.map((alert) => ({ alert, ...(by !== undefined && { by }) }));
		const count = { count: first + changes.length - 1 };
		return [
			counter ? this.#counters.replace(counter, count) : this.#counters.insert(ANNOUNCED, count),
			...[...next].map(([id, document]) => {
				const before = stored.get(id);
				return before ? this.#alerts.replace(before, document) : this.#alerts.insert(id, document);
			}),
			...announced.map((alert, index) => this.#outbox.insert(outboxKey(first + index), { alert })),
			...((await this.#planner?.writesOf(calls)) ?? []),
		];
	}
}

/** The alert after a change. One of the severity leaves the state as people made it. */
const whole = ({ what, alert }: AlertChange, before: Alert | undefined): Alert =>
	what === 'severity' && before ? { ...alert, state: before.state } : alert;

const signatureOf = (acknowledgedBy: string | undefined) => (acknowledgedBy === undefined ? {} : { acknowledgedBy });

function documentOf(alert: Alert, number: number): AlertDocument {
	const { buildingId, roomId, generation, kind, state } = alert;
	const standing = state !== 'resolved' && kind !== 'manual';
	return {
		number,
		buildingId,
		...(roomId !== undefined && { roomId: generationKey(roomId, generation) }),
		...(generation !== undefined && { generation }),
		kind,
		standing,
		alert,
	};
}
