/** The metric catalog: built-in metrics and those that a configuration defines. */
import Type, { type Static } from 'typebox';
import { NAME, Name } from '../names/names.ts';
import { METRIC_KEYS, type MetricDefinition, metricDefinition } from './metrics.ts';
import { convertersFrom } from './unit-prefixes.ts';

/** A metric of the catalog or of a configuration: 1..64 of A-Z a-z 0-9 _, a letter first. */
export const METRIC_KEY = '^[A-Za-z][A-Za-z0-9_]{0,63}$';

/** `gauge`: a value that holds until the next. `flow`: events since the last message. `state`: one of few values. */
export const METRIC_KINDS = ['gauge', 'flow', 'state'] as const;
const COMBINATIONS = ['mean', 'max', 'sum', 'last'] as const;
const Label = Name(64);

/** A metric that a configuration defines: one entry of `metrics` in gateway.yaml. */
export const CustomMetric = Type.Object(
	{
		key: Type.String({ pattern: METRIC_KEY, description: '1..64 of A-Z a-z 0-9 _, a letter first' }),
		unit: Type.String({
			maxLength: 32,
			pattern: `^$|${NAME}`,
			description: 'the unit of every reading: at most 32 characters, empty for none',
		}),
		min: Type.Number({ description: 'a lower value cannot be true and is refused' }),
		max: Type.Number({ description: 'a higher value cannot be true and is refused' }),
		decimals: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 6,
				description: 'digits after the point that are shown; default 1, state 0',
			}),
		),
		kind: Type.Optional(
			Type.Enum([...METRIC_KINDS], {
				description:
					'gauge: a value that holds until the next (the default) · flow: events since the last message · state: one ' +
					'of few values, such as 0 and 1',
			}),
		),
		combine: Type.Optional(
			Type.Enum([...COMBINATIONS], {
				description: 'how the sensors of a room become one value; default: gauge mean, flow sum, state max',
			}),
		),
		name: Type.Optional(
			Type.Object(
				{ en: Label, it: Type.Optional(Label) },
				{ additionalProperties: false, description: 'what people read; default: the key' },
			),
		),
	},
	{ additionalProperties: false },
);
export type CustomMetric = Static<typeof CustomMetric>;

/** What the table `registry:metrics` retains of a metric, by its key. */
export interface RetainedMetric extends CustomMetric {
	/** The gateway whose definition it is. */
	gatewayId: string;
	/** Since when, epoch ms: of two gateways that disagree, the first wins. */
	at: number;
	/** No configuration defines it any more. What was measured stays. */
	retired?: true;
}

const COMBINE_OF_KIND = { gauge: 'mean', flow: 'sum', state: 'max' } as const;

/** The definition of a configured metric as the catalog has it. */
export function definitionOf({ key, unit, min, max, decimals, kind = 'gauge', combine, name }: CustomMetric) {
	const en = name?.en ?? key;
	const definition: MetricDefinition = {
		unit,
		min,
		max,
		decimals: decimals ?? (kind === 'state' ? 0 : 1),
		combine: combine ?? COMBINE_OF_KIND[kind],
		label: { en, it: name?.it ?? en },
		accepts: convertersFrom(unit),
		...(kind !== 'gauge' && { kind }),
	};
	return definition;
}

/** The built-in metrics and those of the configurations. */
export class MetricCatalog {
	readonly #custom = new Map<string, { definition: MetricDefinition; retired: boolean }>();
	#version = 0;

	constructor(metrics: Iterable<CustomMetric | RetainedMetric> = []) {
		for (const metric of metrics) this.set(metric);
	}

	/** Rises with every change. */
	get version(): number {
		return this.#version;
	}

	/** Adds or replaces a configured metric. A built-in one stays as it is. */
	set(metric: CustomMetric | RetainedMetric): void {
		if (metricDefinition(metric.key)) return;
		const retired = 'retired' in metric && metric.retired === true;
		this.#custom.set(metric.key, { definition: definitionOf(metric), retired });
		this.#version++;
	}

	delete(key: string): void {
		if (this.#custom.delete(key)) this.#version++;
	}

	/** Undefined for a metric that nobody defines, never an inherited property. */
	definition(key: string): MetricDefinition | undefined {
		return metricDefinition(key) ?? this.#custom.get(key)?.definition;
	}

	/** As `definition`; for a metric that is not known here, what can be said of any: its last value as it is. */
	describe(key: string): MetricDefinition {
		return this.definition(key) ?? unknownMetric(key);
	}

	/** The metrics that may be measured now: built-in ones first. */
	keys(): string[] {
		return [...METRIC_KEYS, ...this.customKeys()];
	}

	/** The configured ones of them. */
	customKeys(): string[] {
		return [...this.#custom].filter(([, { retired }]) => !retired).map(([key]) => key);
	}

	/** Also those that no configuration defines any more, whose history remains. */
	allKeys(): string[] {
		return [...METRIC_KEYS, ...this.#custom.keys()];
	}

	isRetired(key: string): boolean {
		return this.#custom.get(key)?.retired === true;
	}
}

/** A catalog to look metrics up in. */
export type MetricLookup = Omit<MetricCatalog, 'set' | 'delete'>;

/** The metrics that no configuration adds to. */
export const BUILT_IN_METRICS: MetricLookup = new MetricCatalog();

const unknownMetric = (key: string): MetricDefinition => ({
	unit: '',
	min: -Number.MAX_VALUE,
	max: Number.MAX_VALUE,
	decimals: 2,
	combine: 'last',
	label: { en: key, it: key },
});

/** Whether a metric counts people who cross a door, which the gateway turns into `peopleCount`. */
export function isDoorMetric(key: string): key is 'peopleIn' | 'peopleOut' {
	return key === 'peopleIn' || key === 'peopleOut';
}
