/** Saves the state of the rooms, and restores it from the file and the log. */
import { generationKey, type Reading } from '@crowdvision/contracts';
import { CheckpointFile, type Log, type LogRecord } from '@crowdvision/log';
import type { ChangeRecord } from './audit-trail.ts';
import type { Occupancy } from './occupancy.ts';
import { type Change, crossedAt, newRoomCount, type RoomCount, startedAt } from './room-count.ts';

/** The file on disk. */
interface StoredRooms {
	/** The rooms contain the changes of all records before this offset of the log. */
	offset: number;
	rooms?: Record<string, RoomCount>;
	/** The format of an earlier version, which stored only counts. */
	counts?: Record<string, number>;
}

const CHECK_MS = 5000;
const SAVE_AFTER_MS = 60_000;
/** Bounds how many records a start has to read: these, and those that arrive within one check. */
const SAVE_AFTER_RECORDS = 20_000;
const CROSSINGS = Buffer.from('"crossings":');
const ADJUSTMENT = Buffer.from('"adjustment":');

/**
 * Keeps rooms across restarts: a checkpoint, and the readings in the log after it, each of which names its crossings.
 * They are replayed with the same calculation, so the state of a room is restored exactly.
 */
export class OccupancyFile {
	readonly #file: CheckpointFile<StoredRooms>;
	readonly #occupancy: Occupancy;
	readonly #log: Log;
	#saved: number;
	#savedAt = performance.now();
	#timer: NodeJS.Timeout | undefined;

	private constructor(path: string, occupancy: Occupancy, log: Log) {
		this.#file = new CheckpointFile<StoredRooms>(path);
		this.#occupancy = occupancy;
		this.#log = log;
		this.#saved = -1;
	}

	/** Restores `occupancy`, and saves it regularly from then on. */
	static async restore(path: string, occupancy: Occupancy, log: Log): Promise<OccupancyFile> {
		const file = new OccupancyFile(path, occupancy, log);
		const { value } = file.#file.read();
		occupancy.import(value?.rooms ?? withoutHistory(value?.counts ?? {}));
		for (let next = Math.max(value?.offset ?? 0, log.startOffset); ; ) {
			const read = await log.read(next, { maxRecords: 5000, held: true });
			if (read.next === next) break;
			next = read.next;
			for (const record of read.records)
				if (record.payload.includes(CROSSINGS) || record.payload.includes(ADJUSTMENT)) replay(occupancy, record);
		}
		file.#timer = setInterval(() => void file.#saveIfDue().catch(() => undefined), CHECK_MS).unref();
		return file;
	}

	async #saveIfDue(): Promise<void> {
		const due =
			this.#log.nextOffset - this.#saved >= SAVE_AFTER_RECORDS || performance.now() - this.#savedAt >= SAVE_AFTER_MS;
		if (due) await this.#save();
	}

	async #save(): Promise<void> {
		// Changes that are not yet on disk must not be in the checkpoint, so their writes are awaited first.
		const { nextOffset } = this.#log;
		if (nextOffset === this.#saved) return;
		const rooms = structuredClone(this.#occupancy.export());
		await this.#log.durable();
		await this.#file.write({ offset: nextOffset, rooms });
		this.#saved = nextOffset;
		this.#savedAt = performance.now();
	}

	/** Saves the rooms. Call it after the last append to the log. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.#save().catch(() => undefined);
		await this.#file.settled();
	}
}

/** Applies a record of the log to the rooms. */
function replay(occupancy: Occupancy, { offset, payload }: LogRecord): void {
	const reading = JSON.parse(payload.toString()) as Reading;
	const { sensorId, buildingId, value, receivedAt, crossings, adjustment, interval } = reading;
	const roomId = generationKey(reading.roomId, reading.generation);
	const record: ChangeRecord = { offset, receivedAt, again: true };
	const { at } = crossedAt(reading, receivedAt);
	if (adjustment) {
		const { kind: why, reason } = adjustment;
		const details = why === 'correction' ? { by: sensorId.slice(sensorId.indexOf(':') + 1) } : reason && { reason };
		occupancy.restore(
			buildingId,
			roomId,
			{ kind: 'known', why, count: value, at },
			{ ...record, ...(details && { details }) },
		);
		return;
	}
	if (!crossings) return;
	const changes = changesOf(reading, crossings);
	// A room without a state was empty before this record, unless the checkpoint that contained it is lost.
	const isForgotten =
		!occupancy.room(buildingId, roomId) && crossings.in - crossings.out !== value && crossings.clamped === undefined;
	// The first total of a door counts nobody.
	const count = changes[0]!.kind === 'total' ? value : value - crossings.in + crossings.out;
	if (isForgotten) occupancy.startFrom(buildingId, roomId, { at, count, interval });
	for (const change of changes) occupancy.restore(buildingId, roomId, change, record);
}

/** The changes that a door's record made. */
function changesOf(
	reading: Reading,
	{ in: came, out: went, totalIn, totalOut, detected }: NonNullable<Reading['crossings']>,
): Change[] {
	const { sensorId: door, receivedAt, seq, boot, uptime } = reading;
	const crossing = { door, seq, boot, ...crossedAt(reading, receivedAt) };
	const total = { ...crossing, kind: 'total' as const, startedAt: startedAt(receivedAt, uptime) };
	const changes: Change[] = [];
	if (totalIn !== undefined) changes.push({ ...total, direction: 'in', total: totalIn });
	if (totalOut !== undefined) changes.push({ ...total, direction: 'out', total: totalOut });
	if (changes.length > 0) return changes;
	const known = detected === 'late' || detected === 'repeat' ? { known: detected } : {};
	const since = { ...crossing, kind: 'crossings' as const, receivedAt, ...known };
	// A reading without crossings is a change too: it makes the room known.
	if (came > 0 || went === 0) changes.push({ ...since, direction: 'in', count: came });
	if (went > 0) changes.push({ ...since, direction: 'out', count: went });
	return changes;
}

/** The state of rooms of which only the count is known. */
function withoutHistory(counts: Record<string, number>): Record<string, RoomCount> {
	return Object.fromEntries(Object.entries(counts).map(([at, count]) => [at, newRoomCount(0, count)]));
}
