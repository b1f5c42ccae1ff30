import { METRICS, type MetricKey } from '@crowdvision/contracts';
import type { RoomState } from '../world/room.ts';

/** One number that a sensor measured, in the catalog's unit. */
export interface Measurement {
	metric: MetricKey;
	value: number;
}

/**
 * What a sensor's electronics add to the truth: 0 on average, `deviation` wide, the same for the same sensor and time.
 */
export type Noise = (deviation: number) => number;

/** A make of sensor. */
export interface SensorKind {
	/** What it can measure. */
	readonly metrics: readonly MetricKey[];
	/**
	 * Switches one on: the returned function measures the room now, and keeps what such a sensor remembers. `remembered`
	 * is what it found in its flash memory: the people it has told of, entered less left.
	 */
	readonly switchOn: (remembered?: number) => (room: Readonly<RoomState>, noise: Noise) => Measurement[];
}

/** As the sensor's display would show it: within the metric's hard range, with `decimals` digits. */
export function measured(metric: MetricKey, value: number, decimals: number): Measurement {
	const { min, max } = METRICS[metric];
	const factor = 10 ** decimals;
	return { metric, value: Math.min(max, Math.max(min, Math.round(value * factor) / factor)) };
}
