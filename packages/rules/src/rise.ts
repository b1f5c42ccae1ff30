/** How fast a value rises. */

const MINUTE_MS = 60_000;
/** Values of the last minute that are remembered at most: of two within this time, the lower one. */
const STEP_MS = 5000;

type Recent = readonly [at: number, value: number][];

/**
 * The steepest rise to a value from those before it, per minute: what it rose by within the last minute, or since the
 * last value, if that is older. 0 where it did not rise.
 * @param recent times (epoch ms) and values, oldest first, as `remembered` gives them
 */
export function riseOf(recent: Recent, at: number, value: number): number {
	let steepest = 0;
	for (const [before, from] of recent)
		steepest = Math.max(steepest, (value - from) / Math.max(1, (at - before) / MINUTE_MS));
	return steepest;
}

/** The values to compare the next one with: those of the last minute, and the last one before it. */
export function remembered(recent: Recent, at: number, value: number): [at: number, value: number][] {
	const from = at - MINUTE_MS;
	const first = recent.findLastIndex(([before]) => before <= from);
	const kept = recent.slice(Math.max(0, first)).map(([before, held]): [number, number] => [before, held]);
	const last = kept.at(-1);
	if (last && at - last[0] < STEP_MS) {
		// The first moment stays, so that values which follow each other closely do not push the window along.
		if (value < last[1]) last[1] = value;
		return kept;
	}
	return [...kept, [at, value]];
}
