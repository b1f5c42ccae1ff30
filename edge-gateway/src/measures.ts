import Type from 'typebox';

/** A size in gateway.yaml, such as 512MiB. */
export const Size = Type.String({ pattern: '^[1-9]\\d{0,9} ?(B|KiB|MiB|GiB)$', description: 'a size such as 512MiB' });

/** A duration in gateway.yaml, such as 7d. */
export const Duration = Type.String({
	pattern: '^\\d{1,9} ?(ms|s|m|h|d)$',
	description: 'a duration such as 7d or 250ms',
});

const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

/** A `Size` in bytes. */
export function bytes(text: string): number {
	return measure(text, BYTES);
}

/** A `Duration` in ms. */
export function milliseconds(text: string): number {
	return measure(text, MILLISECONDS);
}

/** What setTimeout and setInterval take; of more they make 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A `Duration` in ms, for a timer: more than the 24.8 days that it can be are as long as that. */
export function timerMilliseconds(text: string): number {
	return Math.min(milliseconds(text), LONGEST_TIMER_MS);
}

function measure(text: string, units: Record<string, number>): number {
	const [, number, unit] = /^(\d+) ?(\w+)$/.exec(text) ?? [];
	return Number(number) * (units[unit ?? ''] ?? Number.NaN);
}
