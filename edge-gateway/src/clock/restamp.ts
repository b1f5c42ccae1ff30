import type { Reading } from '@crowdvision/contracts';
import { observedTime } from '../normalize/observed-time.ts';

/**
 * Returns a reading that was received while the gateway did not know the time with corrected times: `delta` (ms) is
 * added to the time of receipt, and the device's own time is judged by the result. If `delta` is undefined, the assumed
 * time of receipt and the device's time stay, and the reading is `unsynced`.
 */
export function restamp(stored: Reading & { era?: number }, delta: number | undefined): Reading {
	const { era: _era, deviceTime, ...reading } = stored;
	const receivedAt = reading.receivedAt + Math.round(delta ?? 0);
	const time = observedTime(deviceTime, receivedAt, { quality: delta === undefined ? 'unsynced' : 'holdover' });
	// Cannot happen: a device time that is not a time was refused when the reading was received.
	if ('path' in time) return { ...reading, receivedAt, observedAt: receivedAt, timeQuality: 'unsynced' };
	return { ...reading, receivedAt, ...time };
}
