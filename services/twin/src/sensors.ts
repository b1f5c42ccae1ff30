import { CrowdVisionError, type RetainedSensor } from '@crowdvision/contracts';
import type { RetainedSource } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';

interface Row {
	id: string;
	building_id: string;
	room_id: string;
}

const MOST_LISTED = 10_000;

/** Which sensor stands in which room: what lets a reading leave its place out. A sensor stands in one room of one building. */
export class Sensors implements RetainedSource {
	readonly #database: SqliteDatabase;

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	async list(buildingId: string): Promise<{ sensorId: string; roomId: string }[]> {
		const rows = await this.#database.all<Row>('SELECT * FROM sensors WHERE building_id = ? ORDER BY id LIMIT ?', [buildingId, MOST_LISTED]);
		return rows.map((row) => ({ sensorId: row.id, roomId: row.room_id }));
	}

	/** Registers a sensor, or moves it within its building. @throws CrowdVisionError `conflict` when it stands in another building. */
	async register({ sensorId, buildingId, roomId }: RetainedSensor): Promise<void> {
		const changed = await this.#database.run(
			`INSERT INTO sensors (id, building_id, room_id) VALUES (?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET room_id = excluded.room_id WHERE building_id = excluded.building_id`,
			[sensorId, buildingId, roomId],
		);
		if (changed === 0) throw new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere', { path: '/sensorId' });
	}

	/** @throws CrowdVisionError `not_found` */
	async remove(buildingId: string, sensorId: string): Promise<void> {
		const removed = await this.#database.run('DELETE FROM sensors WHERE id = ? AND building_id = ?', [sensorId, buildingId]);
		if (removed === 0) throw new CrowdVisionError('not_found', 'There is no such sensor');
	}

	async keys(): Promise<string[]> {
		return (await this.#database.all<{ id: string }>('SELECT id FROM sensors')).map(({ id }) => id);
	}

	async read(sensorId: string): Promise<string | null> {
		const row = await this.#database.get<Row>('SELECT * FROM sensors WHERE id = ?', [sensorId]);
		return row ? JSON.stringify({ sensorId, buildingId: row.building_id, roomId: row.room_id } satisfies RetainedSensor) : null;
	}
}
