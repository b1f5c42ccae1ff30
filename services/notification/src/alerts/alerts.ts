/** Lists and acknowledges alerts for accounts. */
import {
	type AccountClaims,
	type Alert,
	CrowdVisionError,
	idInKey,
	isIncomplete,
	type MetricLookup,
	type RetainedBuilding,
} from '@crowdvision/contracts';
import { metricOf } from '@crowdvision/rules';
import { type BuildingDirectory, type Presence, requireRole, retryOnConflict } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type PageQuery, type Store } from '@crowdvision/store';
import { recallRooms } from '../rooms/room-memory.ts';
import { type AlertDocument, type RoomDocument, roomKey } from '../store.ts';
import type { AlertRepository } from './alert-repository.ts';

/** Who acknowledges, and what they may do. */
export type Acknowledger = Pick<AccountClaims, 'sub' | 'memberships'>;

export interface AlertsParts {
	store: Store;
	repository: AlertRepository;
	directory: BuildingDirectory;
	presence: Pick<Presence, 'of'>;
	catalog: MetricLookup;
}

/**
 * Lists and acknowledges alerts on behalf of accounts. An alert is visible to the current domains of its building; the
 * alerts of an unknown building are visible to nobody.
 */
export class Alerts {
	readonly #store: Store;
	readonly #repository: AlertRepository;
	readonly #directory: BuildingDirectory;
	readonly #presence: Pick<Presence, 'of'>;
	readonly #catalog: MetricLookup;
	readonly #alerts: Collection<AlertDocument>;
	readonly #rooms: Collection<RoomDocument>;

	constructor({ store, repository, directory, presence, catalog }: AlertsParts) {
		this.#store = store;
		this.#repository = repository;
		this.#directory = directory;
		this.#presence = presence;
		this.#catalog = catalog;
		this.#alerts = store.collection('alerts');
		this.#rooms = store.collection('rooms');
	}

	/**
	 * A page of the alerts that the caller may see: the unresolved ones, then the rest, each newest first. Unresolved
	 * ones whose sensors are not current are marked as suspended.
	 * @param now epoch ms
	 */
	async list(
		memberships: AccountClaims['memberships'],
		{ limit, after }: Pick<PageQuery<AlertDocument>, 'limit' | 'after'>,
		now: number,
	): Promise<{ alerts: Alert[]; next: DocumentCursor | undefined }> {
		const visible = new Map(this.#directory.visibleTo(memberships).map((building) => [building.id, building]));
		if (visible.size === 0) return { alerts: [], next: undefined };
		const buildingId = { in: [...visible.keys()] };
		const { documents, next } = await documentPage(this.#alerts, {
			sections: [
				{ buildingId, standing: true },
				{ buildingId, standing: false },
			],
			by: 'number',
			limit,
			after,
			keep: ({ value: { alert } }) => this.#directory.isCurrent(alert),
		});
		const suspended = await this.#suspended(
			documents.map(({ value }) => value),
			now,
		);
		const alerts = documents.map(({ id, value: { alert } }) => ({
			...withCurrentOwners(alert, visible),
			...(suspended.has(id) && { suspended: true }),
		}));
		return { alerts, next };
	}

	/**
	 * Records that an account takes care of an alert. Acknowledging it again changes nothing.
	 * @throws CrowdVisionError `not_found`; `forbidden` below business_staff; `conflict` when it is resolved
	 */
	async acknowledge(id: string, by: Acknowledger): Promise<Alert> {
		const { alert } = await this.#acknowledge(id, by);
		if (alert.state === 'resolved') throw new CrowdVisionError('conflict', 'This alert is already resolved');
		return alert;
	}

	/**
	 * The same, for who must be the first: resolves with undefined where somebody has it already, or it is over.
	 * @throws CrowdVisionError `not_found`; `forbidden` below business_staff
	 */
	async acknowledgeFirst(id: string, by: Acknowledger): Promise<Alert | undefined> {
		const { alert, isFirst } = await this.#acknowledge(id, by);
		return isFirst ? alert : undefined;
	}

	#acknowledge(id: string, { sub, memberships }: Acknowledger): Promise<{ alert: Alert; isFirst: boolean }> {
		return retryOnConflict(async () => {
			const stored = await this.#alerts.get(id);
			const isVisible = stored && this.#directory.isCurrent(stored.value.alert);
			const domains = (isVisible && this.#directory.get(stored.value.buildingId)?.domains) || [];
			requireRole({ memberships }, domains, 'business_staff', 'such alert');
			const current = stored!.value.alert;
			if (current.state === 'resolved' || current.state === 'acknowledged') return { alert: current, isFirst: false };
			const acknowledged: Alert = { ...current, state: 'acknowledged' };
			await this.#store.commit(await this.#repository.acknowledgement(stored!, acknowledged, sub));
			return { alert: acknowledged, isFirst: true };
		});
	}

	/**
	 * The ids of the unresolved alerts in rooms whose value of the alert's metric is stale, or a sum that lacks silent
	 * counters and does not confirm the alert.
	 */
	async #suspended(documents: readonly AlertDocument[], now: number): Promise<Set<string>> {
		const unresolved = documents.flatMap(({ standing, buildingId, roomId, kind, alert: { id, limit } }) =>
			standing && roomId !== undefined && kind !== 'manual' ? [{ id, buildingId, roomId, kind, limit }] : [],
		);
		if (unresolved.length === 0) return new Set();
		const rooms = await recallRooms(this.#rooms, unresolved);
		const parts = { presence: this.#presence, catalog: this.#catalog };
		const undecided = unresolved.filter(({ buildingId, roomId, kind, limit = Number.POSITIVE_INFINITY }) => {
			const combine = this.#directory.room(buildingId, idInKey(roomId))?.combine;
			const value = rooms.get(roomKey(buildingId, roomId))!.value(metricOf(kind), now, { ...parts, combine });
			return value && (value.stale || (isIncomplete(value) && value.value <= limit));
		});
		return new Set(undecided.map(({ id }) => id));
	}
}

/** The alert with the current domains of its building, which may have changed since it opened. */
function withCurrentOwners(alert: Alert, buildings: ReadonlyMap<string, RetainedBuilding>): Alert {
	return { ...alert, domainNames: buildings.get(alert.buildingId)?.domains ?? [] };
}
