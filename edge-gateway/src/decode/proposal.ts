/** Writes the rule that would read keys which no rule reads, ready to be pasted into gateway.yaml. */
import { type CustomMetric, METRIC_KEY, type MetricLookup } from '@crowdvision/contracts';
import { stringify } from 'yaml';
import type { DecoderRule } from './decoder-config.ts';
import { RENAMING_FORMATS } from './format-table.ts';
import type { UnknownField } from './message/unknown-field.ts';
import type { VendorMetric } from './vendor/vendor-table.ts';

/** Metrics of the catalog by words in a vendor's key. The first that fits counts. */
const BY_WORD: readonly [RegExp, string][] = [
	[/(people|person|visitor|passenger|head|counter?).*_?in$|^(count|total)?_?in$|enter/i, 'peopleIn'],
	[/(people|person|visitor|passenger|head|counter?).*_?out$|^(count|total)?_?out$|exit|leav/i, 'peopleOut'],
	[/people|person|occupan|visitor|passenger|head_?count/i, 'peopleCount'],
	[/co2/i, 'co2'],
	[/pm_?2[._]?5/i, 'pm25'],
	[/pm_?10(?!\d)/i, 'pm10'],
	[/voc/i, 'voc'],
	[/iaq|aqi|air_?quality/i, 'iaqi'],
	[/hum|^rh$/i, 'humidity'],
	[/lux|illum|lumin|light/i, 'illuminance'],
	[/press|baro/i, 'pressure'],
	[/noise|sound|l_?aeq|decibel|^spl|^db$/i, 'noise'],
	[/batt|^soc$/i, 'battery'],
	[/temp/i, 'temperature'],
];
/** Not of the room's air, whatever the rest of the key says. */
const NOT_THE_ROOM =
	/^e_?co2|device|cpu|chip|soil|water|surface|setpoint|target|internal|board|supply|probe|leak|volt|_mv$/i;
/** What a total says is no crossing since the last message. */
const TOTAL = /total|cumul|sum/i;

/** Units of metrics that the catalog does not have, by words in a vendor's key. */
const UNIT_BY_WORD: readonly [RegExp, string][] = [
	[/volt|_v$|^v$/i, 'V'],
	[/current|amp/i, 'A'],
	[/energy|kwh/i, 'kWh'],
	[/power|watt/i, 'W'],
	[/dist|level|depth/i, 'm'],
	[/temp/i, 'degC'],
	[/percent|moist|soc/i, '%'],
];
/** Numbers of states, by the word for 1 and the one for 0. */
const OPPOSITES: readonly (readonly [string, string])[] = [
	['true', 'false'],
	['on', 'off'],
	['open', 'closed'],
	['open', 'close'],
	['opened', 'closed'],
	['yes', 'no'],
	['detected', 'clear'],
	['motion', 'clear'],
	['occupied', 'vacant'],
	['alarm', 'normal'],
	['wet', 'dry'],
	['leak', 'normal'],
];
const HIGHEST = 1_000_000;

/** The metrics and the renaming that a key needs. */
interface Reading {
	key: string;
	rename: VendorMetric;
	/** Undefined: the metric exists. */
	define?: CustomMetric;
}

/**
 * The text of `metrics` and `decoders` by which these keys would be read: the rule as it is, with `rename` added. What
 * cannot be known from the message (a unit, a range) is a guess that whoever pastes it looks at.
 */
export function proposedRule(config: DecoderRule, fields: readonly UnknownField[], metrics: MetricLookup): string {
	if (fields.some(({ kind }) => kind === 'bytes')) {
		const { rename, ...rest } = config;
		const decoder = { ...rest, use: 'codec', codec: 'the-codec-of-the-vendor.js', ...(rename && { rename }) };
		return textOf({ decoders: [decoder] });
	}
	if (STATING_METRICS.has(config.use)) return proposedMetrics(fields, metrics);
	const plain = fields.filter(({ kind }) => kind !== 'nested');
	if (plain.length === 0 || !(RENAMING_FORMATS as string[]).includes(config.use))
		return textOf({ decoders: [{ ...config, use: 'jsonata', mapping: mappingOf(fields) }] });
	const readings = new Map(plain.map((field) => [field.key, readingOf(field, metrics)]));
	const define = [...readings.values()].flatMap((one) => one.define ?? []);
	const added = Object.fromEntries([...readings].map(([key, { rename }]) => [key, rename]));
	return textOf({
		...(define.length > 0 && { metrics: define }),
		decoders: [{ ...config, rename: { ...config.rename, ...added } }],
	});
}

/** Formats whose keys are metrics. */
const STATING_METRICS: ReadonlySet<string> = new Set(['canonical', 'cbor']);

/** The text of `metrics` that these keys of the gateway's own short form need. */
export function proposedMetrics(fields: readonly UnknownField[], metrics: MetricLookup): string {
	return textOf({ metrics: fields.map((field) => definitionOf(field, metrics)) });
}

/** The metric that is called as the key is; of a key that cannot be one's name, like it. */
function definitionOf(field: UnknownField, metrics: MetricLookup): CustomMetric {
	const { define, rename } = readingOf(field, metrics);
	const key = new RegExp(METRIC_KEY).test(field.key) ? field.key : metricKey(field.key);
	if (define) return { ...define, key };
	const { unit = '', min = 0, max = HIGHEST } = metrics.definition(rename.metric) ?? {};
	return { key, unit, min, max, kind: 'gauge', name: { en: nameOf(field.key) } };
}

/** YAML with one line for each metric and each renamed key. */
function textOf(file: object): string {
	return stringify(file, { lineWidth: 0, collectionStyle: 'any', flowCollectionPadding: false }).trimEnd();
}

function readingOf({ key, sample, unit }: UnknownField, metrics: MetricLookup): Reading {
	const number = typeof sample === 'number' ? sample : Number.parseFloat(String(sample).replace(',', '.'));
	if (Number.isNaN(number)) return stateOf(key, String(sample).toLowerCase(), String(sample), metrics);
	const [, known] = BY_WORD.find(([word]) => word.test(key)) ?? [];
	const definition = known === undefined ? undefined : metrics.definition(known);
	const fits = definition !== undefined && number >= definition.min && number <= definition.max;
	if (known !== undefined && fits && !NOT_THE_ROOM.test(key) && !(TOTAL.test(key) && known.startsWith('people')))
		return { key, rename: { metric: known, ...(unit !== undefined && { unit }) } };
	const metric = metricKey(key);
	if (metrics.definition(metric)) return { key, rename: { metric, ...(unit !== undefined && { unit }) } };
	const [, guessed = ''] = UNIT_BY_WORD.find(([word]) => word.test(key)) ?? [];
	// Batteries and mains in mV; no voltage of a building's devices has so many volts.
	const sentUnit = unit ?? (guessed === 'V' && number > 1000 ? 'mV' : undefined);
	return {
		key,
		rename: { metric, ...(sentUnit !== undefined && sentUnit !== guessed && { unit: sentUnit }) },
		define: {
			key: metric,
			unit: unit ?? guessed,
			min: number < 0 || guessed === 'degC' ? -HIGHEST : 0,
			max: HIGHEST,
			kind: 'gauge',
			name: { en: nameOf(key) },
		},
	};
}

function stateOf(key: string, word: string, sample: string, metrics: MetricLookup): Reading {
	const metric = metricKey(key);
	const pair = OPPOSITES.find((words) => words.includes(word)) ?? [word, 'off'];
	const spelled = (one: string) => (sample === sample.toUpperCase() && sample !== word ? one.toUpperCase() : one);
	const rename = { metric, values: { [spelled(pair[0])]: 1, [spelled(pair[1])]: 0 } };
	if (metrics.definition(metric)) return { key, rename };
	return { key, rename, define: { key: metric, unit: '', min: 0, max: 1, kind: 'state', name: { en: nameOf(key) } } };
}

/** A JSONata mapping of keys in objects, or of formats without `rename`, to be completed by hand. */
function mappingOf(fields: readonly UnknownField[]): string {
	const values = fields.map(({ key }) => {
		const path = key
			.split('.')
			.map((part) => (/^[A-Za-z_]\w*$/.test(part) ? part : `\`${part.replaceAll('`', '')}\``))
			.join('.');
		return `{"sensorId": $name, "metric": "${metricKey(key.split('.').at(-1)!)}", "value": ${path}}`;
	});
	return `[${values.join(', ')}]`;
}

/** A key as metrics may have it: `battery_voltage` is `batteryVoltage`. */
function metricKey(key: string): string {
	const words = key.split(/[^A-Za-z0-9]+/).filter(Boolean);
	const joined = words.map((word, at) => (at === 0 ? lowerFirst(word) : upperFirst(word))).join('');
	const whole = /^[A-Za-z]/.test(joined) ? joined : `m${upperFirst(joined)}`;
	return new RegExp(METRIC_KEY).test(whole) ? whole : whole.slice(0, 64);
}

const upperFirst = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
const lowerFirst = (word: string) =>
	word === word.toUpperCase() ? word.toLowerCase() : word.charAt(0).toLowerCase() + word.slice(1);

/** `battery_voltage` as people read it: `Battery voltage`. */
function nameOf(key: string): string {
	return upperFirst(key.replaceAll(/[_\s.-]+/g, ' ').trim()).slice(0, 64) || key;
}
