/** Converts values to the units of the metric catalog. */
import type { MetricDefinition, Problem } from '@crowdvision/contracts';
import { converterFrom } from './unit-names.ts';

/** Enough for any sensor, and it removes the noise of a floating-point conversion (70 degF is 21.111111 degC). */
const CONVERTED_DECIMALS = 1e6;

/**
 * The value in the catalog's unit; or its mistake: a unit that the metric is not measured in, or a value out of range.
 * A value up to `clipAbove` is returned as it is: it stands for the upper end of the range.
 */
export function toCatalogUnit(definition: MetricDefinition, value: number, unit: string | undefined): number | Problem {
	let converted = value;
	if (unit !== undefined && unit !== definition.unit) {
		const convert = converterFrom(definition, unit);
		if (!convert)
			return {
				path: '/unit',
				message: `must be one of ${[definition.unit, ...Object.keys(definition.accepts ?? {})].join(', ')}`,
			};
		converted = Math.round(convert(value) * CONVERTED_DECIMALS) / CONVERTED_DECIMALS;
	}
	if (converted < definition.min || converted > (definition.clipAbove ?? definition.max)) {
		return { path: '/value', message: `must be from ${definition.min} to ${definition.max} ${definition.unit}` };
	}
	return converted;
}
