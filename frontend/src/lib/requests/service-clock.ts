/** Below this a difference is the rounding of the `Date` header (whole seconds) and the way of the request. */
const TOLERANCE_MS = 2000;

/**
 * How far the service's clock is ahead of this device's, in ms, from one answer: its `Date` header, when the request
 * left and when the answer came. 0 where they agree within the header's precision, undefined where the header says
 * nothing.
 */
export function clockOffset(dateHeader: string | null, sentAt: number, receivedAt: number): number | undefined {
	const served = Date.parse(dateHeader ?? '');
	if (Number.isNaN(served)) return undefined;
	// The header is cut to whole seconds: the truth lies half a second later on average.
	const offset = served + 500 - (sentAt + receivedAt) / 2;
	return Math.abs(offset) <= TOLERANCE_MS ? 0 : offset;
}

let offset = 0;

/**
 * Takes the offset of the latest answer: ages are told by the services' clock, so a wrong clock here makes nothing look
 * stale or fresh.
 */
export function keepClockOffset(latest: number | undefined): void {
	if (latest !== undefined) offset = latest;
}

/** Epoch ms by the services' clock, as far as it is known. */
export function serviceNow(): number {
	return Date.now() + offset;
}
