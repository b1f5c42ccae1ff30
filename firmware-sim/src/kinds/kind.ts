import { METRICS, type MetricKey } from '@crowdvision/contracts';
import type { RoomState } from '../world/room.ts';

/** One number that a sensor measured, in the catalog's unit. */
export interface Measurement {
	metric: MetricKey;
	value: number;
}

/** A sensor's measuring error: normal with mean 0 and the given standard deviation, the same for a sensor and time. */
export type Noise = (deviation: number) => number;

/** A kind of sensor. */
export interface SensorKind {
	/** The metrics it measures. */
	readonly metrics: readonly MetricKey[];
	/**
	 * Switches on one sensor. The returned function measures the room and holds the sensor's state. `remembered`: the
	 * count in its flash memory, people entered minus people left as far as reported.
	 */
	readonly switchOn: (remembered?: number) => (room: Readonly<RoomState>, noise: Noise) => Measurement[];
}

/** A value as a sensor sends it: within the metric's hard range, rounded to `decimals` digits. */
export function measured(metric: MetricKey, value: number, decimals: number): Measurement {
	const { min, max } = METRICS[metric];
	const factor = 10 ** decimals;
	return { metric, value: Math.min(max, Math.max(min, Math.round(value * factor) / factor)) };
}
