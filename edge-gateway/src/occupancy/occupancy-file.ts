import type { Reading } from '@crowdvision/contracts';
import { CheckpointFile, type Log, type LogRecord } from '@crowdvision/log';
import type { RecordOf } from './audit-trail.ts';
import type { Occupancy } from './occupancy.ts';
import { type Change, newRoomCount, type RoomCount } from './room-count.ts';

interface Kept {
	/** The rooms are true before this offset. */
	offset: number;
	rooms?: Record<string, RoomCount>;
	/** As it was before rooms knew more than their count. */
	counts?: Record<string, number>;
}

const LOOK_EVERY_MS = 5000;
const SAVE_AFTER_MS = 60_000;
/** A start reads no more records than these, and what comes in within one look. */
const SAVE_AFTER_RECORDS = 20_000;
const CROSSINGS = Buffer.from('"crossings":');
const ADJUSTMENT = Buffer.from('"adjustment":');

/**
 * Rooms across restarts: a checkpoint, and the readings that came after it, each of which says what it changed. They
 * are counted again as they were counted first, so a room is what it was to the last of its digits.
 */
export class OccupancyFile {
	readonly #file: CheckpointFile<Kept>;
	readonly #occupancy: Occupancy;
	readonly #log: Log;
	#saved: number;
	#savedAt = performance.now();
	#timer: NodeJS.Timeout | undefined;

	private constructor(path: string, occupancy: Occupancy, log: Log) {
		this.#file = new CheckpointFile<Kept>(path);
		this.#occupancy = occupancy;
		this.#log = log;
		this.#saved = -1;
	}

	/** Fills `occupancy` and keeps saving it. */
	static async restore(path: string, occupancy: Occupancy, log: Log): Promise<OccupancyFile> {
		const file = new OccupancyFile(path, occupancy, log);
		const { value } = file.#file.read();
		occupancy.import(value?.rooms ?? withoutHistory(value?.counts ?? {}));
		for (let next = Math.max(value?.offset ?? 0, log.startOffset); ; ) {
			const read = await log.read(next, { maxRecords: 5000, held: true });
			if (read.next === next) break;
			next = read.next;
			for (const record of read.records)
				if (record.payload.includes(CROSSINGS) || record.payload.includes(ADJUSTMENT)) countAgain(occupancy, record);
		}
		file.#timer = setInterval(() => void file.#saveIfDue().catch(() => undefined), LOOK_EVERY_MS).unref();
		return file;
	}

	async #saveIfDue(): Promise<void> {
		const due =
			this.#log.nextOffset - this.#saved >= SAVE_AFTER_RECORDS || performance.now() - this.#savedAt >= SAVE_AFTER_MS;
		if (due) await this.#save();
	}

	async #save(): Promise<void> {
		// What is counted but not yet on disk must not be saved as if it were: wait for it first.
		const { nextOffset } = this.#log;
		if (nextOffset === this.#saved) return;
		const rooms = structuredClone(this.#occupancy.export());
		await this.#log.durable();
		await this.#file.write({ offset: nextOffset, rooms });
		this.#saved = nextOffset;
		this.#savedAt = performance.now();
	}

	/** Call it when nothing is appended any more. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.#save().catch(() => undefined);
		await this.#file.settled();
	}
}

function countAgain(occupancy: Occupancy, { offset, payload }: LogRecord): void {
	const { sensorId, buildingId, roomId, value, observedAt, receivedAt, boot, crossings, adjustment, interval } =
		JSON.parse(payload.toString()) as Reading;
	const record: RecordOf = { offset, receivedAt, again: true };
	const at = Math.min(observedAt, receivedAt);
	if (adjustment) {
		const { kind: why, reason } = adjustment;
		const told = why === 'correction' ? { by: sensorId.slice(sensorId.indexOf(':') + 1) } : reason && { reason };
		occupancy.restore(
			buildingId,
			roomId,
			{ kind: 'known', why, count: value, at },
			{ ...record, ...(told && { told }) },
		);
		return;
	}
	if (!crossings) return;
	const changes = changesOf({ door: sensorId, at, receivedAt, boot }, crossings);
	// A room that is met for the first time was empty, or else the checkpoint that knew of it is gone.
	const isForgotten =
		!occupancy.room(buildingId, roomId) && crossings.in - crossings.out !== value && crossings.clamped === undefined;
	// A total that is the first heard of counts nobody.
	const count = changes[0]!.kind === 'total' ? value : value - crossings.in + crossings.out;
	if (isForgotten) occupancy.begin(buildingId, roomId, { at, count, interval });
	for (const change of changes) occupancy.restore(buildingId, roomId, change, record);
}

function changesOf(
	{ door, at, receivedAt, boot }: { door: string; at: number; receivedAt: number; boot: string | undefined },
	crossings: NonNullable<Reading['crossings']>,
): Change[] {
	const { totalIn, totalOut } = crossings;
	const changes: Change[] = [];
	if (totalIn !== undefined) changes.push({ kind: 'total', door, direction: 'in', total: totalIn, boot, at });
	if (totalOut !== undefined) changes.push({ kind: 'total', door, direction: 'out', total: totalOut, boot, at });
	if (changes.length > 0) return changes;
	// A door that says that nobody crossed is heard all the same.
	if (crossings.in > 0 || crossings.out === 0)
		changes.push({ kind: 'crossings', door, direction: 'in', count: crossings.in, at, receivedAt });
	if (crossings.out > 0)
		changes.push({ kind: 'crossings', door, direction: 'out', count: crossings.out, at, receivedAt });
	return changes;
}

/** Rooms of which only the count is known. */
function withoutHistory(counts: Record<string, number>): Record<string, RoomCount> {
	return Object.fromEntries(Object.entries(counts).map(([at, count]) => [at, newRoomCount(0, count)]));
}
