import type { Bus, BusEntry, Position } from '@crowdvision/bus';
import { type ReadingWithCursor, STREAMS } from '@crowdvision/contracts';
import { parseReading } from './feed.ts';

const STREAM = STREAMS.telemetry;
const BUS_TIMEOUT_MS = 10_000;

export interface Replay {
	bus: Bus;
	from: Position;
	buildingId: string;
	/** Resolves when the next may come. */
	take(readings: ReadingWithCursor[], upTo: Position): Promise<void>;
	/** Asked after each step; `read` entries were read so far. */
	enough(read: number): boolean;
	onGap(to: Position): void;
	/**
	 * The bus says nothing although it can be reached: a stream that is another one now knows nothing of a cursor of the
	 * one before.
	 */
	onSilence(): void;
	signal: AbortSignal;
}

/**
 * Reads the stream itself for one building, from a position on, until it is enough or the signal aborts. Rejects when
 * `take` does.
 */
export async function replay({ bus, from, buildingId, take, enough, onGap, onSilence, signal }: Replay): Promise<void> {
	const ended = Promise.withResolvers<void>();
	let done = false;
	let read = 0;
	let active = true;
	const finish = () => {
		done = true;
		ended.resolve();
	};
	const settle = () => {
		if (signal.aborted || enough(read)) finish();
	};
	const giveUpOnSilence = async () => {
		const silent = !active;
		active = false;
		if (!silent || (await bus.trouble()) !== undefined || done) return;
		onSilence();
		finish();
	};
	const watchdog = setInterval(() => void giveUpOnSilence(), BUS_TIMEOUT_MS);
	signal.addEventListener('abort', finish, { once: true });
	try {
		const tail = await bus.tail(
			STREAM,
			from,
			async (entries) => {
				if (done) return;
				active = true;
				read += entries.length;
				await take(readingsOf(entries, buildingId), entries.at(-1)!.position).catch(ended.reject);
				active = true;
				settle();
			},
			({ to }) => {
				if (done) return;
				active = true;
				onGap(to);
				settle();
			},
		);
		try {
			await ended.promise;
		} finally {
			done = true;
			await tail.close();
		}
	} finally {
		clearInterval(watchdog);
		signal.removeEventListener('abort', finish);
	}
}

/** The readings of one building among entries of the stream; what is no reading is left out, as the feed does. */
function readingsOf(entries: readonly BusEntry[], buildingId: string): ReadingWithCursor[] {
	const mention = JSON.stringify(buildingId);
	const readings: ReadingWithCursor[] = [];
	for (const { position, data } of entries) {
		// Most entries are of other buildings: this spares parsing them.
		if (!data.includes(mention)) continue;
		const value = parseReading(data);
		if (value?.buildingId === buildingId) readings.push({ ...value, cursor: position });
	}
	return readings;
}
