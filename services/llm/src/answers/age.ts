import type { Language } from './question.ts';

const UNITS = [
	['day', 24 * 3600_000],
	['hour', 3600_000],
	['minute', 60_000],
	['second', 1000],
] as const;

/** The largest unit there is at least one of, and how many, rounded down. */
function inUnits(ms: number): { amount: number; unit: (typeof UNITS)[number][0] } {
	const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? UNITS.at(-1)!;
	return { amount: Math.floor(ms / size), unit };
}

/** How long ago something was: "12 minutes ago". */
export function ago(ms: number, language: Language): string {
	const { amount, unit } = inUnits(Math.max(0, ms));
	return new Intl.RelativeTimeFormat(language, { numeric: 'always' }).format(-amount, unit);
}

/** How long something has lasted: "13 hours". */
export function lasted(ms: number, language: Language): string {
	const { amount, unit } = inUnits(Math.max(0, ms));
	return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}
