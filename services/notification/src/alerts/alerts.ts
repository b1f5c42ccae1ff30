import { type AccountClaims, type Alert, CrowdVisionError, type RetainedBuilding } from '@crowdvision/contracts';
import { type BuildingDirectory, type Presence, requireRole, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import { recallRooms } from '../rules/room-memory.ts';
import { metricOf } from '../rules/rules.ts';
import { type AlertDocument, type RoomDocument, roomKey } from '../store.ts';
import type { AlertBook } from './alert-repository.ts';

export interface AlertsParts {
	store: Store;
	book: AlertBook;
	directory: BuildingDirectory;
	presence: Pick<Presence, 'of'>;
}

/**
 * The alerts there were and are. Who may see one follows from its building's domains as they are now; of no known
 * domain: nobody.
 */
export class Alerts {
	readonly #store: Store;
	readonly #book: AlertBook;
	readonly #directory: BuildingDirectory;
	readonly #presence: Pick<Presence, 'of'>;
	readonly #alerts: Collection<AlertDocument>;
	readonly #rooms: Collection<RoomDocument>;

	constructor({ store, book, directory, presence }: AlertsParts) {
		this.#store = store;
		this.#book = book;
		this.#directory = directory;
		this.#presence = presence;
		this.#alerts = store.collection('alerts');
		this.#rooms = store.collection('rooms');
	}

	/**
	 * The newest `limit` of those the caller may see. One whose sensors are not heard from at `now` is marked as
	 * suspended.
	 */
	async list(memberships: AccountClaims['memberships'], limit: number, now: number): Promise<Alert[]> {
		const visible = new Map(this.#directory.visibleTo(memberships).map((building) => [building.id, building]));
		if (visible.size === 0) return [];
		const found = await this.#alerts.find({
			where: { buildingId: { in: [...visible.keys()] } },
			order: { by: 'number', descending: true },
			limit,
		});
		const suspended = await this.#suspended(
			found.map(({ value }) => value),
			now,
		);
		return found.map(({ id, value: { alert } }) => ({
			...asOf(alert, visible),
			...(suspended.has(id) && { suspended: true }),
		}));
	}

	/**
	 * Notes who takes care of an alert; done once, however often it is asked for.
	 * @throws CrowdVisionError `not_found`, `forbidden` below business_staff, `conflict` when it is over.
	 */
	async acknowledge(id: string, { sub, memberships }: Pick<AccountClaims, 'sub' | 'memberships'>): Promise<Alert> {
		const alert = await retryOnConflict(async () => {
			const kept = await this.#alerts.get(id);
			const domains = (kept && this.#directory.get(kept.value.buildingId)?.domains) ?? [];
			requireRole({ memberships }, domains, 'business_staff', 'such alert');
			const present = kept!.value.alert;
			if (present.state === 'resolved' || present.state === 'acknowledged') return present;
			const acknowledged: Alert = { ...present, state: 'acknowledged' };
			await this.#store.commit(await this.#book.acknowledgement(kept!, acknowledged, sub));
			return acknowledged;
		});
		if (alert.state === 'resolved') throw new CrowdVisionError('conflict', 'This alert is over');
		return alert;
	}

	/** Ids of the alerts that are not over, in rooms whose sensors' last word on it is stale. */
	async #suspended(documents: readonly AlertDocument[], now: number): Promise<Set<string>> {
		const standing = documents.flatMap(({ standing, alert: { id, buildingId, roomId, kind } }) =>
			standing && roomId !== undefined && kind !== 'manual' ? [{ id, buildingId, roomId, kind }] : [],
		);
		if (standing.length === 0) return new Set();
		const rooms = await recallRooms(this.#rooms, standing);
		const silent = standing.filter(
			({ buildingId, roomId, kind }) =>
				rooms.get(roomKey(buildingId, roomId))!.value(metricOf(kind), now, this.#presence)?.stale,
		);
		return new Set(silent.map(({ id }) => id));
	}
}

/** An alert belongs to whom its building belongs to now. */
function asOf(alert: Alert, buildings: ReadonlyMap<string, RetainedBuilding>): Alert {
	return { ...alert, domainNames: buildings.get(alert.buildingId)?.domains ?? [] };
}
