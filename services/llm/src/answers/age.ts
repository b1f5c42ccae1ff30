import type { Language } from './question.ts';

const UNITS = [
	['day', 24 * 3600_000],
	['hour', 3600_000],
	['minute', 60_000],
	['second', 1000],
] as const;

/** A duration in the largest unit that fits at least once, rounded down. */
function inUnits(ms: number): { amount: number; unit: (typeof UNITS)[number][0] } {
	const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? UNITS.at(-1)!;
	return { amount: Math.floor(ms / size), unit };
}

/** A duration as in "12 minutes ago". */
export function ago(ms: number, language: Language): string {
	const { amount, unit } = inUnits(Math.max(0, ms));
	return new Intl.RelativeTimeFormat(language, { numeric: 'always' }).format(-amount, unit);
}

/** A duration as in "13 hours". */
export function lasted(ms: number, language: Language): string {
	const { amount, unit } = inUnits(Math.max(0, ms));
	return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}
