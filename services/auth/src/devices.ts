import { randomBytes } from 'node:crypto';
import { CrowdVisionError, type RetainedRevocation } from '@crowdvision/contracts';
import type { RetainedSource, Tokens } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';

export interface NewDevice {
	domainName: string;
	name: string;
	/** Limits the token to one building. */
	buildingId?: string;
	/** Limits the token to these sensors. */
	sensorIds?: string[];
}

export interface Device extends NewDevice {
	deviceId: string;
	createdAt: number;
	revokedAt?: number;
}

interface Row {
	id: string;
	domain_name: string;
	name: string;
	building_id: string | null;
	sensor_ids: string | null;
	created_at: number;
	revoked_at: number | null;
}

const MOST_LISTED = 1000;

/** Sensors and gateways that may send. Their tokens are shown once and not kept; what is kept is what they were good for. */
export class Devices implements RetainedSource {
	readonly #database: SqliteDatabase;
	readonly #tokens: Tokens;

	constructor(database: SqliteDatabase, tokens: Tokens) {
		this.#database = database;
		this.#tokens = tokens;
	}

	/** @throws CrowdVisionError `conflict` when `deviceId` is a device of another domain. */
	async issue(device: NewDevice, deviceId = `dev-${randomBytes(9).toString('hex')}`): Promise<{ deviceId: string; token: string }> {
		const { domainName, name, buildingId, sensorIds } = device;
		const kept = await this.#database.run(
			`INSERT INTO devices (id, domain_name, name, building_id, sensor_ids, created_at) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET name = excluded.name, building_id = excluded.building_id, sensor_ids = excluded.sensor_ids
				WHERE domain_name = excluded.domain_name`,
			[deviceId, domainName, name, buildingId ?? null, sensorIds ? JSON.stringify(sensorIds) : null, Date.now()],
		);
		if (kept === 0) throw new CrowdVisionError('conflict', 'This device id is taken');
		const scope = { ...(buildingId !== undefined && { buildingId }), ...(sensorIds && { sensorIds }) };
		return { deviceId, token: await this.#tokens.signDevice({ id: deviceId, domainName, ...scope }) };
	}

	async list(domainName: string): Promise<Device[]> {
		const rows = await this.#database.all<Row>('SELECT * FROM devices WHERE domain_name = ? ORDER BY created_at DESC, id LIMIT ?', [
			domainName,
			MOST_LISTED,
		]);
		return rows.map((row) => ({
			deviceId: row.id,
			domainName: row.domain_name,
			name: row.name,
			...(row.building_id !== null && { buildingId: row.building_id }),
			...(row.sensor_ids !== null && { sensorIds: JSON.parse(row.sensor_ids) as string[] }),
			createdAt: row.created_at,
			...(row.revoked_at !== null && { revokedAt: row.revoked_at }),
		}));
	}

	/** Voids every token this device was given until now. @throws CrowdVisionError `not_found` */
	async revoke(domainName: string, deviceId: string): Promise<void> {
		const revoked = await this.#database.run('UPDATE devices SET revoked_at = ? WHERE id = ? AND domain_name = ?', [
			Date.now(),
			deviceId,
			domainName,
		]);
		if (revoked === 0) throw new CrowdVisionError('not_found', 'There is no such device');
	}

	async keys(): Promise<string[]> {
		return (await this.#database.all<{ id: string }>('SELECT id FROM devices WHERE revoked_at IS NOT NULL')).map(({ id }) => id);
	}

	async read(deviceId: string): Promise<string | null> {
		const row = await this.#database.get<{ revoked_at: number | null }>('SELECT revoked_at FROM devices WHERE id = ?', [deviceId]);
		if (!row || row.revoked_at === null) return null;
		return JSON.stringify({ before: Math.floor(row.revoked_at / 1000) } satisfies RetainedRevocation);
	}
}
