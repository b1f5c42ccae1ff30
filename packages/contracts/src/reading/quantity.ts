import { METRICS, type MetricKey } from './metrics.ts';

/** How the catalog's units are written where a person reads them; one that is not here is written as it is. */
const WRITTEN: Readonly<Record<string, string>> = { degC: '°C', 'ug/m3': 'µg/m³', index: '' };
const PEOPLE = { en: ['person', 'people'], it: ['persona', 'persone'] } as const;

/** A value of a metric as a sentence has it, rounded as the catalog says: "21.5 °C", "1,240 ppm", "1 person". */
export function quantity(metric: MetricKey, value: number, language: 'en' | 'it'): string {
	const { unit, decimals } = METRICS[metric];
	const shown = value.toLocaleString(language, { maximumFractionDigits: decimals });
	if (unit === 'person') return `${shown} ${PEOPLE[language][value === 1 ? 0 : 1]}`;
	const written = WRITTEN[unit] ?? unit;
	return written === '' ? shown : `${shown} ${written}`;
}

/** A metric's name within an English sentence: "temperature", but "CO₂". */
export function metricName(metric: MetricKey): string {
	const { en } = METRICS[metric].label;
	return /^\p{Lu}\p{Ll}/u.test(en) ? en[0]!.toLowerCase() + en.slice(1) : en;
}
