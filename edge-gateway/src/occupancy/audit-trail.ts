import type { CountCause, CountChange } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';
import { type Change, type Effect, MOST_ROOMS } from './room-count.ts';

/** Where a change stands in the telemetry log, and when it came in. */
export interface RecordOf {
	offset: number;
	/** Epoch ms. */
	receivedAt: number;
	/** Of what a person or the gateway itself did. */
	told?: Pick<CountChange, 'by' | 'name' | 'note' | 'reason'>;
	/** Read again at a start: it was counted before. */
	again?: boolean;
}

interface Kept {
	buildingId: string;
	roomId: string;
	change: CountChange;
}

const MOST_RECENT = 100;
const MOST_NOTABLE = 100;
const MAX_BYTES = 4 * 1024 * 1024;
const EVERYDAY: ReadonlySet<CountCause> = new Set(['crossings', 'first', 'late']);

/** What was noted of one room: everything lately, and what is out of the ordinary for longer. Newest last. */
interface OfRoom {
	recent: CountChange[];
	notable: CountChange[];
}

/**
 * Why each room's count is what it is. Bounded, in rooms, per room and on disk: of crossings, the last since the start;
 * of wraps, resets, zeroings and corrections, the last on disk. It explains counts, they do not hang on it.
 */
export class AuditTrail {
	readonly #log: Log;
	readonly #logId: string;
	readonly #onNotable: (buildingId: string, roomId: string, change: CountChange) => void;
	/** Those of which something was noted last at the end. */
	readonly #rooms = new Map<string, OfRoom>();
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

	/** `logId`: of the log the readings are in, whose ids they bear. */
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
				const { buildingId, roomId, change } = JSON.parse(payload.toString()) as Kept;
				push(this.#room(buildingId, roomId).notable, change, MOST_NOTABLE);
			}
		}
	}

	/** Notes a change that is stored; one that was noted before, and is read again after a crash, once. */
	note(
		buildingId: string,
		roomId: string,
		change: Change,
		effect: Effect,
		{ offset, receivedAt, told, again = false }: RecordOf,
	): void {
		const cause: CountCause = change.kind === 'known' ? change.why : (effect.detected ?? 'crossings');
		const noted: CountChange = {
			id: `${this.#logId}-${offset}`,
			at: change.at,
			receivedAt,
			cause,
			...(change.kind !== 'known' && { sensorId: change.door, in: effect.in, out: effect.out }),
			before: effect.before,
			after: effect.count,
			interval: effect.interval,
			...(effect.clamped > 0 && { clamped: effect.clamped }),
			...told,
		};
		if (!again) this.#count(cause);
		if (!again && effect.clamped > 0) this.#count('clamped');
		// A door that says that nobody crossed changes nothing.
		if (cause === 'crossings' && effect.in === 0 && effect.out === 0) return;
		const room = this.#room(buildingId, roomId);
		if (EVERYDAY.has(cause)) {
			push(room.recent, noted, MOST_RECENT);
			return;
		}
		if (room.notable.some(({ id }) => id === noted.id)) return;
		push(room.notable, noted, MOST_NOTABLE);
		this.#onNotable(buildingId, roomId, noted);
		this.#log
			.append([{ payload: JSON.stringify({ buildingId, roomId, change: noted } satisfies Kept), at: receivedAt }])
			.catch(() => undefined);
	}

	/** The last changes of a room's count, newest first. */
	of(buildingId: string, roomId: string, limit: number): CountChange[] {
		const { recent, notable } = this.#rooms.get(`${buildingId}/${roomId}`) ?? { recent: [], notable: [] };
		return [...recent, ...notable]
			.sort((a, b) => b.receivedAt - a.receivedAt || offsetOf(b) - offsetOf(a))
			.slice(0, limit);
	}

	/** How often each thing happened since the start; `clamped`: a count that would have fallen below 0. */
	counts(): ReadonlyMap<string, number> {
		return this.#counts;
	}

	close(): Promise<void> {
		return this.#log.close();
	}

	#count(cause: string): void {
		this.#counts.set(cause, (this.#counts.get(cause) ?? 0) + 1);
	}

	#room(buildingId: string, roomId: string): OfRoom {
		const key = `${buildingId}/${roomId}`;
		const room = this.#rooms.get(key) ?? { recent: [], notable: [] };
		this.#rooms.delete(key);
		this.#rooms.set(key, room);
		if (this.#rooms.size > MOST_ROOMS) this.#rooms.delete(this.#rooms.keys().next().value!);
		return room;
	}
}

function push(list: CountChange[], change: CountChange, most: number): void {
	list.push(change);
	if (list.length > most) list.shift();
}

const offsetOf = ({ id }: CountChange) => Number(id.slice(id.lastIndexOf('-') + 1));
