import { METRICS, type MetricKey } from '@crowdvision/contracts';
import { KINDS, type KindName } from '../kinds/index.ts';
import { gaussian, hash, randomAt } from '../random.ts';
import type { SimulatedBuilding } from '../world/building.ts';

/** A sensor and its room. */
export interface SensorPlan {
	sensorId: string;
	roomId: string;
	kind: KindName;
}

/** One measurement before the device adds number and time. `value` is in `unit`, the catalog's unit of `metric`. */
export interface Sample {
	sensorId: string;
	metric: MetricKey;
	value: number;
	unit: string;
	buildingId: string;
	roomId: string;
}

/** The sensors of one device. `now` is epoch ms in the building's time. */
export interface Device {
	readonly sensors: readonly SensorPlan[];
	/** Measures with every sensor. */
	sample(now: number): Sample[];
	/** Makes a sensor count from `now` on; crossings that it has not reported yet are dropped. */
	zero(sensorId: string, now: number): void;
}

/**
 * Creates the sensors of a device. The samples depend on the seed and the sampling times only.
 * @param remembered by sensor id, the people count in the sensor's flash memory
 */
export function createDevice(
	sensors: readonly SensorPlan[],
	building: SimulatedBuilding,
	seed: number,
	remembered: Readonly<Record<string, number>> = {},
): Device {
	const running = sensors.map((sensor) => ({
		...sensor,
		base: hash(seed, sensor.sensorId, 'noise'),
		measure: KINDS[sensor.kind].switchOn(remembered[sensor.sensorId]),
	}));
	return {
		sensors,
		zero: (sensorId, now) => {
			for (const one of running)
				if (one.sensorId === sensorId) one.measure = KINDS[one.kind].switchOn(building.room(one.roomId, now).people);
		},
		sample: (now) =>
			running.flatMap(({ sensorId, roomId, base, measure }) => {
				const random = randomAt(base, now);
				return measure(building.room(roomId, now), (deviation) => deviation * gaussian(random)).map(
					({ metric, value }) => ({
						sensorId,
						metric,
						value,
						unit: METRICS[metric].unit,
						buildingId: building.id,
						roomId,
					}),
				);
			}),
	};
}
