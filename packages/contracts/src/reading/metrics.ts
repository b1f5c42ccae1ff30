/**
 * The metric catalog. To add a metric, add an entry here: validation, unit conversion, `GET /twin/metrics` and the
 * dashboard use this table.
 */

/** How one metric is measured, bounded and shown. */
export interface MetricDefinition {
	/** The unit in which readings of this metric leave the gateway. */
	unit: string;
	/** Hard range in `unit`: a value outside it is impossible and is refused. */
	min: number;
	max: number;
	/** A value above `max` up to this is `max`, and marked `clipped`: sensors overshoot there. */
	clipAbove?: number;
	/** Digits after the decimal point to show. */
	decimals: number;
	label: { en: string; it: string };
	/** Other units that a device may send, each with its conversion to `unit`. */
	accepts?: Readonly<Record<string, (value: number) => number>>;
	/**
	 * `flow` metrics count events since the last message; the gateway turns those of doors into `peopleCount`. `state`
	 * metrics have one of few values.
	 */
	kind?: 'flow' | 'state';
	/** How the values of several sensors of a room are combined. */
	combine: 'sum' | 'mean' | 'max' | 'last';
	/** How long a value holds at least, in ms. Default FRESHNESS_MS. */
	freshMs?: number;
	/** How long a value holds at most, in ms, if its sensor sends rarely. Default three hours. */
	longestFreshMs?: number;
	/**
	 * For metrics that always vary a little: a sensor whose value stays the same for longer than this, in ms, is stuck.
	 */
	stuckMs?: number;
}

const HOUR_MS = 3600_000;

const scale = (factor: number) => (value: number) => value * factor;

export const METRICS = {
	peopleCount: {
		unit: 'person',
		min: 0,
		max: 100_000,
		decimals: 0,
		combine: 'last',
		longestFreshMs: 2 * HOUR_MS,
		label: { en: 'People', it: 'Persone' },
		accepts: { people: scale(1), persons: scale(1) },
	},
	peopleIn: {
		unit: 'person',
		min: 0,
		max: 10_000,
		decimals: 0,
		combine: 'sum',
		kind: 'flow',
		longestFreshMs: 2 * HOUR_MS,
		label: { en: 'People in', it: 'Persone entrate' },
		accepts: { people: scale(1), persons: scale(1) },
	},
	peopleOut: {
		unit: 'person',
		min: 0,
		max: 10_000,
		decimals: 0,
		combine: 'sum',
		kind: 'flow',
		longestFreshMs: 2 * HOUR_MS,
		label: { en: 'People out', it: 'Persone uscite' },
		accepts: { people: scale(1), persons: scale(1) },
	},
	temperature: {
		unit: 'degC',
		min: -60,
		max: 125,
		decimals: 1,
		combine: 'mean',
		stuckMs: 12 * HOUR_MS,
		label: { en: 'Temperature', it: 'Temperatura' },
		accepts: {
			'°C': scale(1),
			C: scale(1),
			Cel: scale(1),
			celsius: scale(1),
			degF: fahrenheit,
			'°F': fahrenheit,
			F: fahrenheit,
			fahrenheit,
			K: (kelvin: number) => kelvin - 273.15,
		},
	},
	humidity: {
		unit: '%',
		min: 0,
		max: 100,
		clipAbove: 105,
		decimals: 0,
		combine: 'mean',
		stuckMs: 24 * HOUR_MS,
		label: { en: 'Humidity', it: 'Umidità' },
		accepts: { percent: scale(1), '%RH': scale(1), '/': scale(100) },
	},
	co2: {
		unit: 'ppm',
		min: 0,
		max: 40_000,
		decimals: 0,
		combine: 'max',
		stuckMs: 6 * HOUR_MS,
		label: { en: 'CO₂', it: 'CO₂' },
	},
	pm25: {
		unit: 'ug/m3',
		min: 0,
		max: 2000,
		decimals: 0,
		combine: 'max',
		label: { en: 'PM2.5', it: 'PM2,5' },
		accepts: { 'µg/m³': scale(1), 'μg/m³': scale(1), 'mg/m3': scale(1000) },
	},
	pm10: {
		unit: 'ug/m3',
		min: 0,
		max: 2000,
		decimals: 0,
		combine: 'max',
		label: { en: 'PM10', it: 'PM10' },
		accepts: { 'µg/m³': scale(1), 'μg/m³': scale(1), 'mg/m3': scale(1000) },
	},
	voc: {
		unit: 'ppb',
		min: 0,
		max: 60_000,
		decimals: 0,
		combine: 'max',
		label: { en: 'VOC', it: 'COV' },
		accepts: { ppm: scale(1000) },
	},
	iaqi: {
		unit: 'index',
		min: 0,
		max: 500,
		decimals: 0,
		combine: 'max',
		label: { en: 'Air quality', it: "Qualità dell'aria" },
	},
	illuminance: {
		unit: 'lx',
		min: 0,
		max: 200_000,
		decimals: 0,
		combine: 'mean',
		label: { en: 'Light', it: 'Luce' },
		accepts: { lux: scale(1), klx: scale(1000) },
	},
	noise: {
		unit: 'dB',
		min: 0,
		max: 160,
		decimals: 0,
		combine: 'max',
		stuckMs: 6 * HOUR_MS,
		label: { en: 'Noise', it: 'Rumore' },
		accepts: { dBA: scale(1), 'dB(A)': scale(1) },
	},
	pressure: {
		unit: 'hPa',
		min: 300,
		max: 1200,
		decimals: 0,
		combine: 'mean',
		stuckMs: 24 * HOUR_MS,
		label: { en: 'Pressure', it: 'Pressione' },
		accepts: { mbar: scale(1), Pa: scale(0.01), kPa: scale(10) },
	},
	battery: {
		unit: '%',
		min: 0,
		max: 100,
		decimals: 0,
		combine: 'last',
		freshMs: HOUR_MS,
		longestFreshMs: 72 * HOUR_MS,
		label: { en: 'Battery', it: 'Batteria' },
		accepts: { percent: scale(1), '/': scale(100) },
	},
} as const satisfies Record<string, MetricDefinition>;

function fahrenheit(value: number): number {
	return ((value - 32) * 5) / 9;
}

export type MetricKey = keyof typeof METRICS;

export const METRIC_KEYS = Object.keys(METRICS) as MetricKey[];

/** The definition of a metric by its key, or undefined; also for inherited properties such as `constructor`. */
export function metricDefinition(key: string): MetricDefinition | undefined {
	return Object.hasOwn(METRICS, key) ? METRICS[key as MetricKey] : undefined;
}
