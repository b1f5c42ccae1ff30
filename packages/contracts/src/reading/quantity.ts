import { BUILT_IN_METRICS, type MetricLookup } from './metric-catalog.ts';

/** The catalog's units as shown to people; units that are missing here are shown as they are. */
const SYMBOLS: Readonly<Record<string, string>> = { degC: '°C', 'ug/m3': 'µg/m³', index: '' };
const PEOPLE = { en: ['person', 'people'], it: ['persona', 'persone'] } as const;

/** A value with its unit for use in a sentence, rounded as in the catalog: "21.5 °C", "1,240 ppm", "1 person". */
export function quantity(
	metric: string,
	value: number,
	language: 'en' | 'it',
	catalog: MetricLookup = BUILT_IN_METRICS,
): string {
	const { unit, decimals } = catalog.describe(metric);
	const shown = value.toLocaleString(language, { maximumFractionDigits: decimals });
	if (unit === 'person') return `${shown} ${PEOPLE[language][value === 1 ? 0 : 1]}`;
	const symbol = SYMBOLS[unit] ?? unit;
	return symbol === '' ? shown : `${shown} ${symbol}`;
}

/** A metric's name for use within a sentence: "temperature", but "CO₂". */
export function metricName(
	metric: string,
	catalog: MetricLookup = BUILT_IN_METRICS,
	language: 'en' | 'it' = 'en',
): string {
	const name = catalog.describe(metric).label[language];
	return /^\p{Lu}\p{Ll}/u.test(name) ? name[0]!.toLowerCase() + name.slice(1) : name;
}
