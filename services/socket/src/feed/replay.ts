import type { Bus, BusEntry, Position } from '@crowdvision/bus';
import { type ReadingWithCursor, STREAMS } from '@crowdvision/contracts';
import { parseReading } from './feed.ts';

const STREAM = STREAMS.telemetry;
/** How long the bus may be silent before `onSilence`; between one and two of these. */
const BUS_TIMEOUT_MS = 10_000;

export interface Replay {
	bus: Bus;
	from: Position;
	buildingId: string;
	/** Gets the readings up to a position; the next ones follow when it resolves. */
	take(readings: ReadingWithCursor[], upTo: Position): Promise<void>;
	/** Called after each step with the number of entries read so far; ends the replay by returning true. */
	enough(read: number): boolean;
	/** Called when the entries up to `to` are no longer held. */
	onGap(to: Position): void;
	/**
	 * Called when nothing comes although the bus is reachable: the position belongs to an earlier stream that was
	 * replaced by another one.
	 */
	onSilence(): void;
	signal: AbortSignal;
}

/**
 * Reads the readings of one building from the bus, from a position on, until `enough` or the signal ends it. Rejects
 * when
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

/** The readings of one building among entries of the stream; invalid ones are left out, as in the feed. */
function readingsOf(entries: readonly BusEntry[], buildingId: string): ReadingWithCursor[] {
	const mention = JSON.stringify(buildingId);
	const readings: ReadingWithCursor[] = [];
	for (const { position, data } of entries) {
		// Most entries belong to other buildings; this check avoids parsing them.
		if (!data.includes(mention)) continue;
		const value = parseReading(data);
		if (value?.buildingId === buildingId) readings.push({ ...value, cursor: position });
	}
	return readings;
}
