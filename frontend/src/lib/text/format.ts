import type { AgeUnit } from './age.ts';

/** Numbers, quantities, ages and times as text, by Intl. A `locale` is a BCP 47 tag such as `en-GB`. */

/**
 * The reader's regional variant of `language` ("en" -> "en-GB"), from `preferred` (as in navigator.languages); it
 * decides how times and numbers look. The plain language if the browser names no variant.
 */
export function regionOf(language: string, preferred: readonly string[]): string {
	return preferred.find((tag) => tag.toLowerCase().split('-', 1)[0] === language) ?? language;
}

/** How the catalog's units are written for people; a unit that is not listed is written as it is. */
const UNITS: Readonly<Record<string, string>> = { degC: '°C', 'ug/m3': 'µg/m³', person: '', index: '' };

function unitText(unit: string): string {
	return Object.hasOwn(UNITS, unit) ? UNITS[unit]! : unit;
}

const numbers = new Map<string, Intl.NumberFormat>();

/** A number with exactly `decimals` digits after the decimal mark. */
export function numberText(locale: string, value: number, decimals = 0): string {
	const key = `${locale} ${decimals}`;
	let format = numbers.get(key);
	if (!format) {
		format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
		numbers.set(key, format);
	}
	// -0.04 rounds to 0.0, not to -0.0.
	const text = format.format(value);
	return /[1-9]/.test(text) ? text : format.format(0);
}

/** A value with its unit, such as "21.5 °C"; a no-break space stands between them, also before "%", as SI writes it. */
export function quantityText(locale: string, value: number, unit: string, decimals = 0): string {
	const unitLabel = unitText(unit);
	const number = numberText(locale, value, decimals);
	return unitLabel === '' ? number : `${number}\u00a0${unitLabel}`;
}

const ages = new Map<string, Intl.RelativeTimeFormat>();

/** Such as "12 sec. ago", in the language of `locale`. */
export function ageText(locale: string, amount: number, unit: AgeUnit): string {
	let format = ages.get(locale);
	if (!format) {
		format = new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'short' });
		ages.set(locale, format);
	}
	return format.format(-amount, unit);
}

/** The time of day at `at`, with the date unless it is on the same day as `now` (both epoch ms). */
export function timeText(locale: string, at: number, now: number): string {
	const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
	return new Intl.DateTimeFormat(
		locale,
		sameDay ? { hour: '2-digit', minute: '2-digit' } : { dateStyle: 'short', timeStyle: 'short' },
	).format(at);
}
