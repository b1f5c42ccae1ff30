/** The time at which a reading was taken. */
import {
	epochMs,
	MAX_AHEAD_MS,
	type Problem,
	readTimestamp,
	type TimeQuality,
	timesAtWall,
} from '@crowdvision/contracts';

const YEAR_2000 = Date.UTC(2000, 0, 1);
/** A message that is this young was not held back. */
const PROMPT_MS = 5 * 60_000;

export interface ObservedTime {
	/** Epoch ms. */
	observedAt: number;
	timeQuality: TimeQuality;
	/** What the device said, where it cannot be true or could not be judged. */
	deviceTime?: string | number;
}

/** What a device's time is read and judged by. */
export interface TimeContext {
	/** How far the time of receipt can be trusted; default: `synced`. */
	quality?: TimeQuality;
	/** IANA name of the zone of times without an offset; default: UTC, wherever the gateway stands. */
	zone?: string | undefined;
	/** The time of the sensor's reading before, epoch ms: tells the two hours apart that clocks show twice in autumn. */
	previous?: () => number | undefined;
}

/**
 * When a reading was taken. Without a time of its own it is the time of receipt, which is as good as `quality` says; a
 * time before 2000 or more than a minute ahead cannot be true and is replaced by it. While the time of receipt is
 * `unsynced` a device's time cannot be judged by it, and is kept as `deviceTime`. A text that is no time at all is a
 * mistake.
 */
export function observedTime(
	stated: string | number | undefined,
	receivedAt: number,
	context: TimeContext = {},
): ObservedTime | Problem {
	const { quality = 'synced' } = context;
	if (stated === undefined) return { observedAt: receivedAt, timeQuality: quality };
	const at = typeof stated === 'number' ? (epochMs(stated) ?? stated) : timeOf(stated, receivedAt, context);
	if (at === undefined)
		return {
			path: '/observedAt',
			message:
				'must be a time such as 2026-11-22T10:00:00Z, or seconds, milliseconds, micro- or nanoseconds since 1970',
		};
	if (quality === 'unsynced' || !(at >= YEAR_2000 && at <= receivedAt + MAX_AHEAD_MS))
		return { observedAt: receivedAt, timeQuality: 'unsynced', deviceTime: withZone(stated, context.zone) };
	return { observedAt: Math.round(at), timeQuality: 'synced' };
}

/** A text as epoch ms; undefined if it is no time. */
function timeOf(text: string, receivedAt: number, { zone, previous }: TimeContext): number | undefined {
	const time = readTimestamp(text);
	const inZone = time?.zone ?? zone;
	if (!time?.isLocal || inZone === undefined) return time?.at;
	const possible = timesAtWall(inZone, time.at);
	const past = possible.filter((at) => at <= receivedAt + MAX_AHEAD_MS);
	const latest = past.at(-1) ?? possible[0];
	if (past.length < 2 || receivedAt - latest! <= PROMPT_MS) return latest;
	// Held back: the readings of a sensor come in order.
	const before = previous?.();
	return before === undefined ? latest : (past.find((at) => at > before) ?? latest);
}

/** A local time keeps its zone beside it, so that it can still be judged when the clock is known. */
function withZone(stated: string | number, zone: string | undefined): string | number {
	if (typeof stated === 'number' || zone === undefined) return stated;
	const time = readTimestamp(stated);
	return time?.isLocal && time.zone === undefined ? `${stated}[${zone}]` : stated;
}
