import {
	type Aggregate,
	BUILT_IN_METRICS,
	holdMs,
	type MetricKey,
	type RoomCombine,
	roomValue,
} from '@crowdvision/contracts';
import type { Sample } from '@crowdvision/store';
import type { Window } from '../history/step-function.ts';

/**
 * The expected history of one room in one window, computed the slow way: it asks the live view in the middle between
 * any two moments at which the value may change.
 */
export function referenceValue(
	metric: MetricKey,
	samples: readonly Sample[],
	{ start, end }: Window,
	aggregate: Aggregate,
	combine?: RoomCombine,
): { value: number | null; knownMs: number; incompleteMs: number; clipped?: boolean } {
	const moments = new Set([start, end]);
	for (const { observedAt, freshFor } of samples)
		for (const at of [observedAt, observedAt + holdMs(metric, freshFor)]) if (at > start && at < end) moments.add(at);
	const edges = [...moments].sort((a, b) => a - b);
	const pieces: { ms: number; value: number; isIncomplete: boolean }[] = [];
	let clipped = false;
	for (const [n, from] of edges.slice(0, -1).entries()) {
		const to = edges[n + 1]!;
		const middle = (from + to) / 2;
		const latest = new Map<string, Sample>();
		for (const sample of samples) if (sample.observedAt <= middle) latest.set(sample.sensorId, sample);
		const now = roomValue(metric, [...latest.values()], middle, BUILT_IN_METRICS, combine);
		if (!now || now.stale) continue;
		pieces.push({ ms: to - from, value: now.value, isIncomplete: now.combined?.silent !== undefined });
		if (now.clipped) clipped = true;
	}
	const knownMs = pieces.reduce((total, { ms }) => total + ms, 0);
	const incompleteMs = pieces.reduce((total, { ms, isIncomplete }) => total + (isIncomplete ? ms : 0), 0);
	const values = pieces.map(({ value }) => value);
	if (aggregate === 'count')
		return {
			value: samples.filter(({ observedAt }) => observedAt >= start && observedAt < end).length,
			knownMs,
			incompleteMs,
			clipped,
		};
	const of = (value: number | null) => ({ value, knownMs, incompleteMs, clipped });
	if (pieces.length === 0) return of(null);
	switch (aggregate) {
		case 'avg':
		case 'sum':
			return of(pieces.reduce((total, { ms, value }) => total + ms * value, 0) / knownMs);
		case 'min':
			return of(Math.min(...values));
		case 'max':
			return of(Math.max(...values));
		case 'last':
			return of(values.at(-1)!);
	}
}
