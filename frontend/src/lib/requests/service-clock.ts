/** A smaller difference between the clocks is the rounding of the `Date` header (whole seconds) and network latency. */
const TOLERANCE_MS = 2000;

/**
 * How far the service's clock is ahead of this device's, in ms, measured on one response: its `Date` header, and when
 * the request was sent and answered by this device's clock. 0 if the clocks agree within the header's precision,
 * undefined if the header holds no time.
 */
export function clockOffset(dateHeader: string | null, sentAt: number, receivedAt: number): number | undefined {
	const servedAt = Date.parse(dateHeader ?? '');
	if (Number.isNaN(servedAt)) return undefined;
	// The header is cut to whole seconds: on average the response was made half a second later.
	const offset = servedAt + 500 - (sentAt + receivedAt) / 2;
	return Math.abs(offset) <= TOLERANCE_MS ? 0 : offset;
}

let currentOffset = 0;

/**
 * Sets the offset measured on the latest response; undefined changes nothing. Ages are computed on the services' clock,
 * so a wrong clock on this device makes no value look stale or fresh.
 */
export function setClockOffset(offset: number | undefined): void {
	if (offset !== undefined) currentOffset = offset;
}

/** The services' current time in epoch ms, estimated from this device's clock and the latest offset. */
export function serviceNow(): number {
	return Date.now() + currentOffset;
}
