import type { AgeUnit } from './age.ts';

/**
 * The reader's own region of a language where the browser names one ("en" -> "en-GB"): it decides how times and numbers
 * look.
 */
export function regionOf(language: string, preferred: readonly string[]): string {
	return preferred.find((tag) => tag.toLowerCase().split('-', 1)[0] === language) ?? language;
}

/** How the catalog's units are written for people; one that is not here is written as it is. */
const UNITS: Readonly<Record<string, string>> = { degC: '°C', 'ug/m3': 'µg/m³', person: '', index: '' };

function unitText(unit: string): string {
	return Object.hasOwn(UNITS, unit) ? UNITS[unit]! : unit;
}

const numbers = new Map<string, Intl.NumberFormat>();

export function numberText(locale: string, value: number, decimals = 0): string {
	const key = `${locale} ${decimals}`;
	let format = numbers.get(key);
	if (!format) {
		format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
		numbers.set(key, format);
	}
	// A reading of -0.04 is 0.0, not -0.0.
	const text = format.format(value);
	return /[1-9]/.test(text) ? text : format.format(0);
}

/** "21.5 °C", with a space that does not break; per cent too, as SI writes it. */
export function quantityText(locale: string, value: number, unit: string, decimals = 0): string {
	const written = unitText(unit);
	return written === ''
		? numberText(locale, value, decimals)
		: `${numberText(locale, value, decimals)}\u00a0${written}`;
}

const ages = new Map<string, Intl.RelativeTimeFormat>();

/** "12s ago", in the words of `locale`. */
export function ageText(locale: string, amount: number, unit: AgeUnit): string {
	let format = ages.get(locale);
	if (!format) {
		format = new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'short' });
		ages.set(locale, format);
	}
	return format.format(-amount, unit);
}

/** The time of day, with the date where it is not `now`'s day. */
export function momentText(locale: string, at: number, now: number): string {
	const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
	return new Intl.DateTimeFormat(
		locale,
		sameDay ? { hour: '2-digit', minute: '2-digit' } : { dateStyle: 'short', timeStyle: 'short' },
	).format(at);
}
