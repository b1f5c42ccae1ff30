/** The option `metrics` of gateway.yaml. */
import { CustomMetric, METRIC_KEYS, metricDefinition, type Problem } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';

/** `metrics` in gateway.yaml: what sensors measure beside the built-in metrics. */
export const MetricsConfig = Type.Array(CustomMetric, {
	maxItems: 256,
	description: 'metrics that the catalog does not have, such as voltage, distance, contact or power',
});
export type MetricsConfig = Static<typeof MetricsConfig>;

/** Mistakes in `metrics` that the schema cannot express. `value` need not be valid against the schema. */
export function metricsProblems(value: unknown): Problem[] {
	if (!Array.isArray(value)) return [];
	const seen = new Set<string>();
	return value.flatMap((metric: Partial<CustomMetric> | null, index) => {
		const { key, min, max } = metric ?? {};
		const problems: Problem[] = [];
		const at = `/metrics/${index}`;
		if (typeof key === 'string') {
			if (metricDefinition(key)) problems.push({ path: `${at}/key`, message: 'is a metric of the catalog already' });
			if (seen.has(key)) problems.push({ path: `${at}/key`, message: 'is defined twice' });
			seen.add(key);
		}
		if (typeof min === 'number' && typeof max === 'number' && min >= max)
			problems.push({ path: `${at}/min`, message: `must be below max, which is ${max}` });
		return problems;
	});
}

/** The metrics that a configuration may name: built-in ones, then its own. */
export function metricKeysOf(metrics: unknown): string[] {
	const own = Array.isArray(metrics) ? metrics.map((metric: Partial<CustomMetric> | null) => metric?.key) : [];
	return [...METRIC_KEYS, ...own.filter((key) => typeof key === 'string')];
}
