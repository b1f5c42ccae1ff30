/** Which counters a room had at a time in the past. */
import { combinationOf, counterOf, type MetricLookup, type RoomCombine, STREAMS } from '@crowdvision/contracts';
import type { Latest, Readings, RoomMetric } from '@crowdvision/store';
import type { Rule } from './step-function.ts';

/** How the past of a room is combined. */
export interface PastRule extends Rule {
	/** The sensors that had sent something before a time, epoch ms. */
	heardBefore(at: number): Promise<string[]>;
}

/**
 * How the samples of a room become one value, by the room's present setting.
 * @param combine of the room
 * @param known the latest values of the building, if they have been read
 */
export async function pastRule(
	readings: Readings,
	of: RoomMetric,
	combine: RoomCombine | undefined,
	catalog: MetricLookup,
	known?: readonly Latest[],
): Promise<PastRule> {
	const combination = combinationOf(of.metric, combine, catalog);
	if (!combination.isOfRoom) return { ...combination, heardBefore: async () => [] };
	const latest = known ?? (await readings.latest(STREAMS.telemetry, of.buildingId)).latest;
	const sensors = latest.filter(({ roomId, metric }) => roomId === of.roomId && metric === of.metric);
	const bySensor = new Map(sensors.map((sensor) => [sensor.sensorId, sensor]));
	return {
		...combination,
		counterOf: ({ sensorId }) => counterOf(bySensor.get(sensorId) ?? { sensorId }),
		heardBefore: async (at) => {
			if (combination.rule !== 'sum' || combination.sensors) return [];
			const samples = await readings.lastSamples(of, { from: 0, to: at });
			const silentSince = sensors.filter(({ observedAt }) => observedAt < at);
			return [...samples, ...silentSince].map(({ sensorId }) => sensorId);
		},
	};
}
