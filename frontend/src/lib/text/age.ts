export type AgeUnit = 'second' | 'minute' | 'hour' | 'day';

/**
 * The age of a value observed at `observedAt` (epoch ms), in the largest unit that fits, rounded down: 59 seconds, then
 * 1 minute; hours up to 47, then days. A time ahead of `now` has an age of 0 seconds.
 */
export function age(observedAt: number, now: number): { amount: number; unit: AgeUnit } {
	const seconds = Math.max(0, Math.floor((now - observedAt) / 1000));
	if (seconds < 60) return { amount: seconds, unit: 'second' };
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return { amount: minutes, unit: 'minute' };
	const hours = Math.floor(minutes / 60);
	if (hours < 48) return { amount: hours, unit: 'hour' };
	return { amount: Math.floor(hours / 24), unit: 'day' };
}
