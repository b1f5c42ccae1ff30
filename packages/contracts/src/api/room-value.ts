import { type Freshness, freshness, freshUntil, isCurrent } from '../reading/freshness.ts';
import { BUILT_IN_METRICS, type MetricLookup } from '../reading/metric-catalog.ts';
import type { MetricDefinition } from '../reading/metrics.ts';
import type { LatestValue, SensorValue } from './http.ts';

type KnownFreshness = Exclude<Freshness, 'no-data'>;
type Combine = MetricDefinition['combine'];
/** What combining needs of a sensor's value. */
type Combinable = Pick<SensorValue, 'sensorId' | 'value' | 'observedAt'>;

/**
 * The value of a metric in a room, combined from its sensors as the catalog defines. Sensors that are not current are
 * left out if any other is current; if none is, the value is combined from all of them and is not current. Undefined
 * without a sensor: an unknown value is not 0.
 *
 * Its freshness is that of the sensor it quotes (`last`, `max`), or the best among its sensors (`mean`, `sum`).
 * @param now epoch ms
 */
export function roomValue(
	metric: string,
	sensors: readonly SensorValue[],
	now: number,
	catalog: Pick<MetricLookup, 'describe'> = BUILT_IN_METRICS,
): LatestValue | undefined {
	const known = sensors.map((sensor) => ({ ...sensor, freshness: freshness(metric, sensor, now) }));
	const current = known.filter((sensor) => isCurrent(sensor.freshness));
	const used = current.length > 0 ? current : known;
	const { combine, unit } = catalog.describe(metric);
	const combined = combineSensors(combine, used);
	if (!combined) return undefined;
	const { sensorId, observedAt, freshFor, unchangedSince, offlineAt, transport, low, high } = combined.quoted;
	const quotesOne = combine === 'max' || combine === 'last';
	const roomFreshness = quotesOne ? combined.quoted.freshness : bestOf(used);
	return {
		value: combined.value,
		...(combine === 'last' && low !== undefined && high !== undefined && { low, high }),
		unit,
		observedAt,
		sensorId,
		freshness: roomFreshness,
		freshUntil: Math.max(...used.map((sensor) => freshUntil(metric, sensor))),
		stale: !isCurrent(roomFreshness),
		...(freshFor !== undefined && { freshFor }),
		...(unchangedSince !== undefined && { unchangedSince }),
		...(offlineAt !== undefined && { offlineAt }),
		...(transport && { transport }),
		...(sensors.length > 1 && { sensors: [...sensors] }),
	};
}

/**
 * Combines values that apply at the same time: the room's value, and the sensor that it quotes. Undefined without a
 * sensor. The live view and the history both use this, so that they agree.
 */
export function combineSensors<S extends Combinable>(
	combine: Combine,
	sensors: readonly S[],
): { value: number; quoted: S } | undefined {
	const [first] = sensors;
	if (!first) return undefined;
	const quoted = sensors.reduce((best, sensor) => (isQuotedBefore(combine, sensor, best) ? sensor : best), first);
	if (combine === 'max' || combine === 'last') return { value: quoted.value, quoted };
	const sum = sensors.reduce((total, { value }) => total + value, 0);
	return { value: combine === 'sum' ? sum : sum / sensors.length, quoted };
}

/**
 * Which of two sensors a room quotes: the higher value for `max`, else the one observed last; at the same moment the
 * greater id, so that every process quotes the same.
 */
function isQuotedBefore(combine: Combine, a: Combinable, b: Combinable): boolean {
	if (combine === 'max' && a.value !== b.value) return a.value > b.value;
	if (a.observedAt !== b.observedAt) return a.observedAt > b.observedAt;
	return a.sensorId > b.sensorId;
}

function bestOf(sensors: readonly { freshness: KnownFreshness }[]): KnownFreshness {
	const order: KnownFreshness[] = ['live', 'stuck', 'stale', 'offline'];
	return order.find((candidate) => sensors.some((sensor) => sensor.freshness === candidate))!;
}
