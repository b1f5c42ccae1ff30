import {
	type AccountClaims,
	type Building,
	buildingProblems,
	CrowdVisionError,
	limitsIn,
	type RetainedBuilding,
	ROLES,
	type Role,
	weightIn,
} from '@crowdvision/contracts';
import { invalid, type RetainedSource, requireRole } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';

/** A building as it is kept: named, and in at least one domain. */
export interface KeptBuilding extends Building {
	name: string;
	domains: string[];
}

type Memberships = AccountClaims['memberships'];
type Change = Partial<Pick<Building, 'name' | 'domains' | 'rooms'>>;

/** The buildings. Each belongs to domains, and whoever is in none of them cannot tell it from one that does not exist. */
export class Buildings implements RetainedSource {
	readonly #database: SqliteDatabase;

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	/**
	 * Takes a building JSON, whole or not at all.
	 * @throws CrowdVisionError `invalid` with the path of each mistake, `forbidden` for a domain the caller does not administer, `conflict` for an id in use.
	 */
	async create(document: unknown, memberships: Memberships): Promise<KeptBuilding> {
		const given = validated(document);
		const building = kept(given, given.domains?.length ? given.domains : [onlyAdministered(memberships)]);
		requireAdministered(memberships, building.domains);
		await this.#insert(building);
		return building;
	}

	/** Makes sure that there is a building with this id; one that exists stays as it is. */
	async ensure(document: Building & { domains: string[] }): Promise<void> {
		const building = kept(validated(document), document.domains);
		await this.#insert(building).catch((error: unknown) => {
			if (!(error instanceof CrowdVisionError && error.code === 'conflict')) throw error;
		});
	}

	/** @throws CrowdVisionError `not_found` for a building that is unknown or foreign, `forbidden` for a member of too little weight. */
	async get(id: string, memberships: Memberships, role: Role = 'standard_customer'): Promise<KeptBuilding> {
		return (await this.#find(id, memberships, role)).building;
	}

	/** Those the caller may see, by id. */
	async visibleTo(memberships: Memberships): Promise<KeptBuilding[]> {
		const owners = await this.#database.all<{ id: string; domains: string }>('SELECT id, domains FROM buildings ORDER BY id');
		const visible = owners.filter(({ domains }) => weightIn(memberships, JSON.parse(domains) as string[]) > 0).map(({ id }) => id);
		const rows = await this.#database.all<{ document: string }>(
			'SELECT document FROM buildings WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id',
			[JSON.stringify(visible)],
		);
		return rows.map(({ document }) => JSON.parse(document) as KeptBuilding);
	}

	/**
	 * Replaces what `change` names; sensors of rooms that are no more are no longer registered. Resolves with the building and those sensors.
	 * @throws CrowdVisionError as `create` and `get` do, and `conflict` when somebody else changed it meanwhile.
	 */
	async change(id: string, change: Change, memberships: Memberships): Promise<{ building: KeptBuilding; unregistered: string[] }> {
		const { building: before, version } = await this.#find(id, memberships, 'business_admin');
		const building = kept(validated({ ...before, ...change }), change.domains?.length ? change.domains : before.domains);
		requireAdministered(memberships, difference(before.domains, building.domains));
		const rooms = JSON.stringify(building.rooms.map((room) => room.id));
		const [updated, removed] = await this.#database.transaction([
			{
				sql: 'UPDATE buildings SET domains = ?, document = ?, version = version + 1 WHERE id = ? AND version = ?',
				params: [JSON.stringify(building.domains), JSON.stringify(building), id, version],
			},
			{
				sql: `DELETE FROM sensors WHERE building_id = ? AND room_id NOT IN (SELECT value FROM json_each(?))
					AND EXISTS (SELECT 1 FROM buildings WHERE id = ? AND version = ?) RETURNING id`,
				params: [id, rooms, id, version + 1],
			},
		]);
		if (updated!.changes === 0) throw new CrowdVisionError('conflict', 'The building was changed by somebody else meanwhile');
		return { building, unregistered: (removed!.rows as { id: string }[]).map((row) => row.id) };
	}

	/** Removes the building with its sensors and its history. Resolves with the sensors it had. */
	async remove(id: string, memberships: Memberships): Promise<string[]> {
		await this.#find(id, memberships, 'business_admin');
		const [sensors] = await this.#database.transaction([
			{ sql: 'DELETE FROM sensors WHERE building_id = ? RETURNING id', params: [id] },
			{ sql: 'DELETE FROM readings WHERE series IN (SELECT key FROM series WHERE building = ?)', params: [id] },
			{ sql: 'DELETE FROM series WHERE building = ?', params: [id] },
			{ sql: 'DELETE FROM buildings WHERE id = ?', params: [id] },
		]);
		return (sensors!.rows as { id: string }[]).map((row) => row.id);
	}

	async keys(): Promise<string[]> {
		return (await this.#database.all<{ id: string }>('SELECT id FROM buildings')).map(({ id }) => id);
	}

	async read(id: string): Promise<string | null> {
		const row = await this.#database.get<{ document: string }>('SELECT document FROM buildings WHERE id = ?', [id]);
		return row ? JSON.stringify(retained(JSON.parse(row.document) as KeptBuilding)) : null;
	}

	async #insert(building: KeptBuilding): Promise<void> {
		try {
			await this.#database.run('INSERT INTO buildings (id, domains, document, version) VALUES (?, ?, ?, 1)', [
				building.id,
				JSON.stringify(building.domains),
				JSON.stringify(building),
			]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'There is a building with this id already', { path: '/id' });
			}
			throw error;
		}
	}

	async #find(id: string, memberships: Memberships, role: Role): Promise<{ building: KeptBuilding; version: number }> {
		const row = await this.#database.get<{ document: string; version: number }>('SELECT document, version FROM buildings WHERE id = ?', [id]);
		const building = row && (JSON.parse(row.document) as KeptBuilding);
		requireRole({ memberships }, building?.domains ?? [], role, 'such building');
		if (!row || !building) throw new Error('a building without domains passed the guard');
		return { building, version: row.version };
	}
}

function validated(document: unknown): Building {
	const problems = buildingProblems(document);
	if (problems.length > 0) throw invalid(problems);
	return document as Building;
}

/** What is kept of a building JSON: what the schema knows of the building; rooms as they came. */
function kept({ id, name, rooms }: Building, domains: string[]): KeptBuilding {
	return { id, name: name ?? id, domains: [...new Set(domains)], rooms };
}

const NO_THRESHOLDS = { building: {}, rooms: {} };

function retained({ id, name, domains, rooms }: KeptBuilding): RetainedBuilding {
	return {
		id,
		name,
		domains,
		rooms: rooms.map((room) => ({
			id: room.id,
			name: room.name ?? room.id,
			capacity: room.capacity,
			limits: limitsIn(NO_THRESHOLDS, room),
			...(room.floor !== undefined && { floor: room.floor }),
		})),
	};
}

/** The one domain the caller administers. */
function onlyAdministered(memberships: Memberships): string {
	const administered = memberships.filter(({ role }) => ROLES[role] >= ROLES.business_admin).map(({ domainName }) => domainName);
	const [only] = administered;
	if (only === undefined) throw new CrowdVisionError('forbidden', 'This needs the role business_admin in a domain');
	if (administered.length === 1) return only;
	throw invalid([{ path: '/domains', message: 'is required: you administer more than one domain' }]);
}

function requireAdministered(memberships: Memberships, domains: string[]): void {
	for (const domain of domains) {
		if (weightIn(memberships, [domain]) < ROLES.business_admin) {
			throw new CrowdVisionError('forbidden', `You are not a business_admin of "${domain}"`, { path: '/domains' });
		}
	}
}

/** What is in one of the two only. */
function difference(a: string[], b: string[]): string[] {
	return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}
