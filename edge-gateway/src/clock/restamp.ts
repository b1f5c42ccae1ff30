import type { Reading } from '@crowdvision/contracts';
import { observedTime } from '../normalize/observed-time.ts';

/**
 * A reading received while the gateway did not know the time, as it leaves: with `delta` (ms) added to its time of
 * receipt, and the device's own time judged by that. Where `delta` is not known the time of receipt stays what was
 * taken for it, and the reading `unsynced`; a device's time is kept.
 */
export function restamp(kept: Reading & { era?: number }, delta: number | undefined): Reading {
	const { era: _era, deviceTime: told, ...reading } = kept;
	const receivedAt = reading.receivedAt + Math.round(delta ?? 0);
	const time = observedTime(told, receivedAt, delta === undefined ? 'unsynced' : 'holdover');
	// A text that is no time was refused when it came.
	if ('path' in time) return { ...reading, receivedAt, observedAt: receivedAt, timeQuality: 'unsynced' };
	return { ...reading, receivedAt, ...time };
}
