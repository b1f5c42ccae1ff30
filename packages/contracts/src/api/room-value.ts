import { type Freshness, freshness, freshUntil, isCurrent } from '../reading/freshness.ts';
import { METRICS, type MetricDefinition, type MetricKey } from '../reading/metrics.ts';
import type { LatestValue, SensorValue } from './http.ts';

type Worth = Exclude<Freshness, 'no-data'>;
type Judged = SensorValue & { freshness: Worth };

/**
 * What a room's sensors together say of one metric, combined as the catalog has it. Sensors that are not heard from are
 * left out while any other is; when none is, the value is what they said last, and not current. Undefined for no sensor
 * at all: unknown is not 0.
 *
 * It is worth what the sensor is that it quotes (`last`, `max`), or the best of those it is made of (`mean`, `sum`).
 */
export function roomValue(metric: MetricKey, sensors: readonly SensorValue[], now: number): LatestValue | undefined {
	const judged = sensors.map((sensor) => ({ ...sensor, freshness: freshness(metric, sensor, now) }));
	const current = judged.filter((sensor) => isCurrent(sensor.freshness));
	const counted = current.length > 0 ? current : judged;
	const [first] = counted;
	if (!first) return undefined;
	const { combine, unit }: MetricDefinition = METRICS[metric];
	const told = counted.reduce((best, sensor) => (isToldBefore(combine, sensor, best) ? sensor : best), first);
	const worth = combine === 'max' || combine === 'last' ? told.freshness : bestOf(counted);
	const { sensorId, observedAt, unchangedSince, offlineAt, transport, low, high } = told;
	return {
		value: combineValues(
			combine,
			counted.map((sensor) => sensor.value),
			told.value,
		),
		...(combine === 'last' && low !== undefined && high !== undefined && { low, high }),
		unit,
		observedAt,
		sensorId,
		freshness: worth,
		freshUntil: Math.max(...counted.map((sensor) => freshUntil(metric, sensor))),
		stale: !isCurrent(worth),
		...(unchangedSince !== undefined && { unchangedSince }),
		...(offlineAt !== undefined && { offlineAt }),
		...(transport && { transport }),
		...(sensors.length > 1 && { sensors: [...sensors] }),
	};
}

/**
 * Which of two sensors a room quotes: the worst for the air, else who spoke last; of the same moment the greater id, so
 * that everybody quotes the same.
 */
export function isToldBefore(
	combine: MetricDefinition['combine'],
	a: Pick<SensorValue, 'sensorId' | 'value' | 'observedAt'>,
	b: Pick<SensorValue, 'sensorId' | 'value' | 'observedAt'>,
): boolean {
	if (combine === 'max' && a.value !== b.value) return a.value > b.value;
	if (a.observedAt !== b.observedAt) return a.observedAt > b.observedAt;
	return a.sensorId > b.sensorId;
}

/** Values that hold at the same time as one; `told` is the one that the room quotes. */
export function combineValues(combine: MetricDefinition['combine'], values: readonly number[], told: number): number {
	if (combine === 'max' || combine === 'last') return told;
	const sum = values.reduce((total, value) => total + value, 0);
	return combine === 'sum' ? sum : sum / values.length;
}

function bestOf(counted: readonly Judged[]): Worth {
	const order: Worth[] = ['live', 'stuck', 'stale', 'offline'];
	return order.find((one) => counted.some((sensor) => sensor.freshness === one))!;
}
