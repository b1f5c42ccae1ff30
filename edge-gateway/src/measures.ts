/** Sizes and durations in gateway.yaml: their schemas, and their conversion to bytes and ms. */
import { isTimeZone, type Problem } from '@crowdvision/contracts';
import Type from 'typebox';

/** A size in gateway.yaml, such as 512MiB. */
export const Size = Type.String({ pattern: '^[1-9]\\d{0,9} ?(B|KiB|MiB|GiB)$', description: 'a size such as 512MiB' });

/** A duration in gateway.yaml, such as 7d. */
export const Duration = Type.String({
	pattern: '^\\d{1,9} ?(ms|s|m|h|d)$',
	description: 'a duration such as 7d or 250ms',
});

/** `timeZone` of a rule or a port. */
export const TimeZoneOption = Type.Optional(
	Type.String({
		minLength: 1,
		maxLength: 64,
		description: 'IANA name, such as Europe/Rome, of the zone of times that are sent without an offset; default: UTC',
	}),
);

/** The mistake in a `timeZone`, if there is one. */
export function timeZoneProblem(timeZone: unknown, path: string): Problem[] {
	if (typeof timeZone !== 'string' || timeZone === '' || isTimeZone(timeZone)) return [];
	return [{ path: `${path}/timeZone`, message: 'must be the IANA name of a time zone, such as Europe/Rome' }];
}

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

/** The longest time of setTimeout and setInterval, 24.8 days; they take a longer one as 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A `Duration` in ms for a timer: at most 24.8 days. */
export function timerMilliseconds(text: string): number {
	return Math.min(milliseconds(text), LONGEST_TIMER_MS);
}

function measure(text: string, units: Record<string, number>): number {
	const [, number, unit] = /^(\d+) ?(\w+)$/.exec(text) ?? [];
	return Number(number) * (units[unit ?? ''] ?? Number.NaN);
}

/** Bytes as a `Size`, in the largest unit that leaves a whole number. */
export function sizeText(size: number): string {
	return text(size, BYTES);
}

/** Milliseconds as a `Duration`, in the largest unit that leaves a whole number. */
export function durationText(ms: number): string {
	return text(ms, MILLISECONDS);
}

function text(value: number, units: Record<string, number>): string {
	const [unit, size] = Object.entries(units).findLast(([, one]) => value % one === 0 && value >= one)!;
	return `${value / size}${unit}`;
}
