import type { LatestValue, SensorValue } from './http.ts';
import { FRESHNESS_MS } from './http.ts';
import { METRICS, type MetricDefinition, type MetricKey } from './metrics.ts';

/** Whether something observed then is still worth calling current. */
export function isStale(observedAt: number, now: number): boolean {
	return now - observedAt > FRESHNESS_MS;
}

/**
 * What a room's sensors together say of one metric, combined as the catalog has it. Stale sensors are left out while any other is
 * fresh; when all are stale, so is the value. Undefined for no sensor at all: unknown is not 0.
 */
export function roomValue(metric: MetricKey, sensors: readonly SensorValue[], now: number): LatestValue | undefined {
	const fresh = sensors.filter((sensor) => !isStale(sensor.observedAt, now));
	const counted = fresh.length > 0 ? fresh : sensors;
	const [first] = counted;
	if (!first) return undefined;
	const definition: MetricDefinition = METRICS[metric];
	const newest = counted.reduce((best, sensor) => (sensor.observedAt >= best.observedAt ? sensor : best), first);
	const highest = counted.reduce((best, sensor) => (sensor.value > best.value ? sensor : best), first);
	const told = definition.combine === 'max' ? highest : newest;
	const value: LatestValue = {
		value: combine(definition.combine, counted, told),
		unit: definition.unit,
		observedAt: told.observedAt,
		sensorId: told.sensorId,
		stale: fresh.length === 0,
	};
	if (told.transport) value.transport = told.transport;
	if (sensors.length > 1) value.sensors = [...sensors];
	return value;
}

function combine(how: MetricDefinition['combine'], sensors: readonly SensorValue[], told: SensorValue): number {
	if (how === 'max' || how === 'last') return told.value;
	const sum = sensors.reduce((total, sensor) => total + sensor.value, 0);
	return how === 'sum' ? sum : sum / sensors.length;
}
