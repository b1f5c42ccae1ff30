/** Records the changes of each room's count, to explain it. */
import type { CountCause, CountChange } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';
import { type Change, type Effect, MAX_ROOMS } from './room-count.ts';

/** The place of a change in the telemetry log, and its origin. */
export interface ChangeRecord {
	offset: number;
	/** Epoch ms. */
	receivedAt: number;
	/** Who set the count and why, if a person or the gateway itself did. */
	details?: Pick<CountChange, 'by' | 'name' | 'note' | 'reason'>;
	/** It is replayed from the log at a start, and was counted before. */
	again?: boolean;
}

interface StoredChange {
	buildingId: string;
	roomId: string;
	change: CountChange;
}

const MAX_RECENT = 100;
const MAX_NOTABLE = 100;
const MAX_BYTES = 4 * 1024 * 1024;
/** Causes of ordinary changes; all others are notable. */
const ORDINARY: ReadonlySet<CountCause> = new Set(['crossings', 'first', 'late', 'repeat']);

/** The recorded changes of one room, newest last: the recent ordinary ones, and the notable ones for longer. */
interface RoomHistory {
	recent: CountChange[];
	notable: CountChange[];
}

/**
 * Records why each room's count is what it is: the last crossings since the start, in memory; the last wraps, resets,
 * zeroings and corrections, on disk. Bounded in rooms, per room and on disk. Counts do not depend on it.
 */
export class AuditTrail {
	readonly #log: Log;
	readonly #logId: string;
	readonly #onNotable: (buildingId: string, roomId: string, change: CountChange) => void;
	/** By building and room; the room with the newest record is at the end. */
	readonly #rooms = new Map<string, RoomHistory>();
	readonly #counts = new Map<string, number>();

	private constructor(
		log: Log,
		logId: string,
		onNotable: (buildingId: string, roomId: string, change: CountChange) => void,
	) {
		this.#log = log;
		this.#logId = logId;
		this.#onNotable = onNotable;
	}

	/** Reads the records on disk. `logId` is the id of the telemetry log, from which the ids of readings are made. */
	static async open(parts: {
		dir: string;
		worker: CommitWorker;
		logId: string;
		onNotable: (buildingId: string, roomId: string, change: CountChange) => void;
		onIncident: (incident: object) => void;
	}): Promise<AuditTrail> {
		const { dir, worker, logId, onNotable, onIncident } = parts;
		const log = await Log.open({
			dir,
			worker,
			maxBytes: MAX_BYTES,
			whenFull: 'drop-oldest',
			maxAgeMs: Number.MAX_SAFE_INTEGER,
			onIncident,
		});
		const trail = new AuditTrail(log, logId, onNotable);
		try {
			await trail.#read();
		} catch (error) {
			await log.close();
			throw error;
		}
		return trail;
	}

	async #read(): Promise<void> {
		const log = this.#log;
		for (let next = log.startOffset; ; ) {
			const read = await log.read(next);
			if (read.next === next) break;
			next = read.next;
			for (const { payload } of read.records) {
				const { buildingId, roomId, change } = JSON.parse(payload.toString()) as StoredChange;
				push(this.#room(buildingId, roomId).notable, change, MAX_NOTABLE);
			}
		}
	}

	/** Records a stored change. A notable change that is replayed after a crash is recorded only once. */
	record(
		buildingId: string,
		roomId: string,
		change: Change,
		effect: Effect,
		{ offset, receivedAt, details, again = false }: ChangeRecord,
	): void {
		const cause: CountCause = change.kind === 'known' ? change.why : (effect.detected ?? 'crossings');
		const { seemsSwapped, count } = effect;
		if (seemsSwapped !== undefined) {
			const { at } = change;
			const unchanged = { before: count, after: count, interval: effect.interval };
			const id = `${this.#logId}-${offset}`;
			this.#keep(buildingId, roomId, {
				id,
				at,
				receivedAt,
				cause: 'seems-swapped',
				sensorId: seemsSwapped,
				...unchanged,
			});
		}
		const recorded: CountChange = {
			id: `${this.#logId}-${offset}`,
			at: change.at,
			receivedAt,
			cause,
			...(change.kind !== 'known' && { sensorId: change.door, in: effect.in, out: effect.out }),
			before: effect.before,
			after: effect.count,
			interval: effect.interval,
			...(effect.clamped > 0 && { clamped: effect.clamped }),
			...details,
		};
		if (!again) this.#count(cause);
		if (!again && effect.clamped > 0) this.#count('clamped');
		// A reading without crossings changes nothing.
		if (cause === 'crossings' && effect.in === 0 && effect.out === 0) return;
		this.#keep(buildingId, roomId, recorded);
	}

	/** Ordinary changes in memory, notable ones on disk, each once. */
	#keep(buildingId: string, roomId: string, change: CountChange): void {
		const room = this.#room(buildingId, roomId);
		if (ORDINARY.has(change.cause)) {
			push(room.recent, change, MAX_RECENT);
			return;
		}
		if (room.notable.some(({ id, cause }) => id === change.id && cause === change.cause)) return;
		push(room.notable, change, MAX_NOTABLE);
		this.#onNotable(buildingId, roomId, change);
		const payload = JSON.stringify({ buildingId, roomId, change } satisfies StoredChange);
		this.#log.append([{ payload, at: change.receivedAt }]).catch(() => undefined);
	}

	/** The last changes of a room's count, newest first. */
	of(buildingId: string, roomId: string, limit: number): CountChange[] {
		const { recent, notable } = this.#rooms.get(`${buildingId}/${roomId}`) ?? { recent: [], notable: [] };
		return [...recent, ...notable]
			.sort((a, b) => b.receivedAt - a.receivedAt || offsetOf(b) - offsetOf(a))
			.slice(0, limit);
	}

	/** Number of changes by cause since the start; `clamped`: the count would have fallen below 0. */
	counts(): ReadonlyMap<string, number> {
		return this.#counts;
	}

	close(): Promise<void> {
		return this.#log.close();
	}

	#count(cause: string): void {
		this.#counts.set(cause, (this.#counts.get(cause) ?? 0) + 1);
	}

	#room(buildingId: string, roomId: string): RoomHistory {
		const key = `${buildingId}/${roomId}`;
		const room = this.#rooms.get(key) ?? { recent: [], notable: [] };
		this.#rooms.delete(key);
		this.#rooms.set(key, room);
		if (this.#rooms.size > MAX_ROOMS) this.#rooms.delete(this.#rooms.keys().next().value!);
		return room;
	}
}

/** Appends a change; above `max` the oldest one is removed. */
function push(list: CountChange[], change: CountChange, max: number): void {
	list.push(change);
	if (list.length > max) list.shift();
}

const offsetOf = ({ id }: CountChange) => Number(id.slice(id.lastIndexOf('-') + 1));
