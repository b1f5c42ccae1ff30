import { CheckpointFile, type Log } from '@crowdvision/log';
import type { Occupancy } from './normalize/occupancy.ts';

interface Kept {
	/** The counts are true before this offset. */
	offset: number;
	counts: Record<string, number>;
}

const SAVE_EVERY_MS = 5000;
const CROSSINGS = Buffer.from('"crossings":');

/** Room counts across restarts: a checkpoint, and the readings that came after it, each of which carries the count it made. */
export class OccupancyFile {
	readonly #file: CheckpointFile<Kept>;
	readonly #occupancy: Occupancy;
	readonly #log: Log;
	#saved = -1;
	#timer: NodeJS.Timeout | undefined;

	private constructor(path: string, occupancy: Occupancy, log: Log) {
		this.#file = new CheckpointFile<Kept>(path);
		this.#occupancy = occupancy;
		this.#log = log;
	}

	/** Fills `occupancy` and keeps saving it. */
	static async restore(path: string, occupancy: Occupancy, log: Log): Promise<OccupancyFile> {
		const file = new OccupancyFile(path, occupancy, log);
		const { value } = file.#file.read();
		occupancy.import(value?.counts ?? {});
		for (let next = Math.max(value?.offset ?? 0, log.startOffset); ; ) {
			const read = await log.read(next, { maxRecords: 5000, held: true });
			if (read.next === next) break;
			next = read.next;
			for (const { payload } of read.records) {
				if (!payload.includes(CROSSINGS)) continue;
				const { buildingId, roomId, value: count } = JSON.parse(payload.toString()) as { buildingId: string; roomId: string; value: number };
				occupancy.set(buildingId, roomId, count);
			}
		}
		file.#timer = setInterval(() => void file.#save().catch(() => undefined), SAVE_EVERY_MS).unref();
		return file;
	}

	async #save(): Promise<void> {
		// What is counted but not yet on disk must not be saved as if it were: wait for it first.
		const { nextOffset } = this.#log;
		const counts = this.#occupancy.export();
		if (nextOffset === this.#saved) return;
		await this.#log.durable();
		await this.#file.write({ offset: nextOffset, counts });
		this.#saved = nextOffset;
	}

	/** Call it when nothing is appended any more. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.#save().catch(() => undefined);
		await this.#file.settled();
	}
}
