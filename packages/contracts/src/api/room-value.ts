import {
	type CombinedView,
	combinationOf,
	combineSensors,
	counterOf,
	countersOf,
	type RoomCombine,
} from '../reading/combine.ts';
import { type Freshness, freshness, freshUntil, isCurrent } from '../reading/freshness.ts';
import { BUILT_IN_METRICS, type MetricLookup } from '../reading/metric-catalog.ts';
import type { LatestValue, SensorValue } from './http.ts';

type KnownFreshness = Exclude<Freshness, 'no-data'>;

/**
 * The value of a metric in a room, combined from its sensors as the room says, else as the catalog defines. Sensors
 * that are not current are left out if any other is current; if none is, the value is combined from all of them and is
 * not current. Undefined without a sensor: an unknown value is not 0.
 *
 * Its freshness is that of the sensor it quotes (`last`, `max`), or the best among its sensors (`mean`, `sum`). A sum
 * that the room asks for names the counters that are silent: it is incomplete then, and has no upper bound.
 * @param now epoch ms
 * @param combine of the room
 */
export function roomValue(
	metric: string,
	sensors: readonly SensorValue[],
	now: number,
	catalog: Pick<MetricLookup, 'describe'> = BUILT_IN_METRICS,
	combine?: RoomCombine,
): LatestValue | undefined {
	const combination = combinationOf(metric, combine, catalog);
	const { rule, isOfRoom } = combination;
	const counters = isOfRoom && countersOf(combination, sensors);
	const known = sensors
		.filter((sensor) => !counters || counters.has(counterOf(sensor)))
		.map((sensor) => ({ ...sensor, freshness: freshness(metric, sensor, now) }));
	const current = known.filter((sensor) => isCurrent(sensor.freshness));
	const used = current.length > 0 ? current : known;
	const combined = combineSensors(combination, used);
	if (!combined) return undefined;
	const { sensorId, sensorName, observedAt, freshFor, unchangedSince, offlineAt, transport } = combined.quoted;
	const quotesOne = rule === 'max' || rule === 'last';
	const roomFreshness = quotesOne ? combined.quoted.freshness : bestOf(used);
	const view = counters && viewOf(rule, counters, current);
	const { low, high } = view?.silent ? {} : combined;
	return {
		value: combined.value,
		...(combined.clipped && { clipped: true as const }),
		...(low !== undefined && high !== undefined && { low, high }),
		unit: catalog.describe(metric).unit,
		observedAt,
		sensorId,
		...(sensorName !== undefined && { sensorName }),
		freshness: roomFreshness,
		freshUntil: Math.max(...used.map((sensor) => freshUntil(metric, sensor))),
		stale: !isCurrent(roomFreshness),
		...(freshFor !== undefined && { freshFor }),
		...(unchangedSince !== undefined && { unchangedSince }),
		...(offlineAt !== undefined && { offlineAt }),
		...(transport && { transport }),
		...((view || sensors.length > 1) && { sensors: [...sensors] }),
		...(view && { combined: view }),
	};
}

function viewOf(
	rule: string,
	counters: ReadonlyMap<string, SensorValue | undefined>,
	current: readonly SensorValue[],
): CombinedView {
	const speaking = new Set(current.map((sensor) => counterOf(sensor)));
	const silent = [...counters].flatMap(([counter, sensor]) =>
		speaking.has(counter) ? [] : [sensor?.sensorId ?? counter],
	);
	return {
		rule: rule as CombinedView['rule'],
		counters: counters.size,
		...(rule === 'sum' && silent.length > 0 && { silent: silent.sort() }),
	};
}

function bestOf(sensors: readonly { freshness: KnownFreshness }[]): KnownFreshness {
	const order: KnownFreshness[] = ['live', 'stuck', 'stale', 'offline'];
	return order.find((candidate) => sensors.some((sensor) => sensor.freshness === candidate))!;
}
