import type { Acknowledged } from '../faults/load.ts';

/** How many readings there must be, by `{sensorId} {metric}`, then by the second they were observed in (epoch ms). */
export type Expected = ReadonlyMap<string, ReadonlyMap<number, number>>;

const SECOND = 1000;
/** A request may ask for no more points. */
const MOST_POINTS = 5000;
const MOST_EXAMPLES = 10;

/** What history must hold where so much was acknowledged. Doors tell crossings, and people are stored. */
export function expected(acknowledged: ReadonlyMap<string, Acknowledged>): Expected {
	const series = new Map<string, Map<number, number>>();
	for (const { sensorId, metric, observedAt } of acknowledged.values()) {
		const key = `${sensorId} ${/^people(In|Out)$/.test(metric) ? 'peopleCount' : metric}`;
		const seconds = series.get(key) ?? new Map<number, number>();
		series.set(key, seconds);
		const second = Math.floor(observedAt / SECOND) * SECOND;
		seconds.set(second, (seconds.get(second) ?? 0) + 1);
	}
	return series;
}

/**
 * What twin's history says, second by second: how many readings there are, and where their number is another than the
 * expected one.
 */
export async function stored(
	ask: <T>(method: string, path: string) => Promise<T>,
	buildingId: string,
	wanted: Expected,
): Promise<{ total: number; wrong: string[] }> {
	const [first, last] = rangeOf(wanted);
	let total = 0;
	const wrong: string[] = [];
	for (const [key, seconds] of wanted) {
		const [sensor, metric] = key.split(' ');
		const found = new Map<number, number>();
		for (let from = first; from <= last; from += MOST_POINTS * SECOND) {
			const to = Math.min(last + SECOND, from + MOST_POINTS * SECOND);
			const query = new URLSearchParams({
				metric: metric!,
				sensor: sensor!,
				from: `${from}`,
				to: `${to}`,
				bucket: '1s',
				agg: 'count',
			});
			const { points } = await ask<{ points: { at: number; value: number | null }[] }>(
				'GET',
				`/twin/buildings/${buildingId}/history?${query}`,
			);
			for (const { at, value } of points) if (value) found.set(at, value);
		}
		for (const at of new Set([...seconds.keys(), ...found.keys()])) {
			const [is, should] = [found.get(at) ?? 0, seconds.get(at) ?? 0];
			total += is;
			if (is !== should && wrong.length < MOST_EXAMPLES)
				wrong.push(`${key} at ${new Date(at).toISOString()}: ${is} instead of ${should}`);
		}
	}
	return { total, wrong };
}

function rangeOf(wanted: Expected): [first: number, last: number] {
	const seconds = [...wanted.values()].flatMap((series) => [...series.keys()]);
	return [Math.min(...seconds), Math.max(...seconds)];
}
