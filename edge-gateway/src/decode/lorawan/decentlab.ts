/** Keys of Decentlab's codec, whose values name their own units. */
import { isObject, type JsonObject, member, type VendorTable } from '../vendor/vendor-table.ts';

/**
 * Keys of Decentlab's codec (github.com/decentlab/decentlab-decoders, read 2026-11-30), whose values are
 * `{"displayName": …, "value": 22.1, "unit": "°C"}`. The unit is the message's. Temperatures of soil, surfaces and
 * thermistors are not the room's, and left out.
 */
export const DECENTLAB: VendorTable = {
	air_temperature: { metric: 'temperature' },
	air_humidity: { metric: 'humidity' },
	co2_concentration: { metric: 'co2' },
	barometric_pressure: { metric: 'pressure' },
	air_pressure: { metric: 'pressure' },
	atmospheric_pressure: { metric: 'pressure' },
	illuminance: { metric: 'illuminance' },
	pm2_5_mass_concentration: { metric: 'pm25' },
	pm10_mass_concentration: { metric: 'pm10' },
	total_voc: { metric: 'voc' },
};

/** A value that names its own unit. */
export interface Quantity {
	value: unknown;
	unit: string | undefined;
}

/** The members of a decoded payload that are `{value, unit}`, by key. */
export function quantitiesOf(payload: JsonObject): Map<string, Quantity> {
	const quantities = new Map<string, Quantity>();
	for (const [key, one] of Object.entries(payload)) {
		if (!isObject(one) || !Object.hasOwn(one, 'value')) continue;
		const unit = member(one, 'unit');
		quantities.set(key, { value: one.value, unit: typeof unit === 'string' && unit !== '' ? unit : undefined });
	}
	return quantities;
}
