import { freshness, type SensorValue } from '@crowdvision/contracts';
import type { RoomSamples } from '../live/samples.ts';
import type { MetricView } from './room-view.ts';

/** One sensor of a room, with what it measures there, at one moment. */
export interface SensorView {
	sensorId: string;
	/** How people call it, where its id does not say it. */
	name: string | undefined;
	/** Its latest values, in the order of the columns; metrics that are no columns come last. */
	values: MetricView[];
}

/**
 * The sensors that measure in a room, by name. `keys` are the metrics in the order to show them, `now` is epoch ms. A
 * sensor bears the name that its newest value came with.
 */
export function sensorViews(samples: RoomSamples, keys: readonly string[], now: number): SensorView[] {
	const found = new Map<string, SensorView>();
	const named = new Map<string, SensorValue>();
	const others = Object.keys(samples).filter((key) => !keys.includes(key));
	for (const key of [...keys, ...others.sort()]) {
		const { unit = '', sensors = [] } = Object.hasOwn(samples, key) ? samples[key]! : {};
		for (const sensor of sensors) {
			const { sensorId, value, clipped, low, high, observedAt } = sensor;
			const view = found.get(sensorId) ?? { sensorId, name: undefined, values: [] };
			found.set(sensorId, view);
			if (sensor.sensorName !== undefined && observedAt > (named.get(sensorId)?.observedAt ?? 0)) {
				named.set(sensorId, sensor);
				view.name = sensor.sensorName;
			}
			view.values.push({
				...{ key, value, unit, observedAt, freshness: freshness(key, sensor, now) },
				...(clipped && { clipped }),
				...(low !== undefined && high !== undefined && { low, high }),
			});
		}
	}
	const shown = ({ name, sensorId }: SensorView) => name ?? sensorId;
	return [...found.values()].sort((a, b) => shown(a).localeCompare(shown(b)) || (a.sensorId < b.sensorId ? -1 : 1));
}
