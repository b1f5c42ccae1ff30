/** Keys of Decentlab's codec, whose values name their own units. */
import type { VendorTable } from '../vendor/vendor-table.ts';

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
