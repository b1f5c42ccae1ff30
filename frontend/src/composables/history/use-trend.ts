import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { getHistory } from '../../api/endpoints.ts';
import { TREND_MS, type TrendPoint } from '../../lib/history/trend.ts';
import { limitConcurrency } from '../../lib/requests/concurrency-limit.ts';
import { serviceNow } from '../../lib/requests/service-clock.ts';

/** Many cards come into view at once; their requests must not all be sent at once. */
const limited = limitConcurrency(4);

/**
 * The people counts of a room over the last hours, loaded when `wanted` becomes true and again with each `generation`.
 * Undefined until they are loaded.
 */
export function useTrend(
	buildingId: () => string,
	roomId: () => string,
	wanted: Ref<boolean>,
	generation: () => number,
) {
	const points = shallowRef<readonly TrendPoint[]>();
	let request: AbortController | undefined;

	watch(
		[wanted, buildingId, roomId, generation],
		async ([isWanted, building, room]) => {
			if (!isWanted) return;
			request?.abort();
			const current = new AbortController();
			request = current;
			try {
				const to = serviceNow();
				const query = { room, metric: 'peopleCount', from: to - TREND_MS, to, bucket: '5m', agg: 'avg' } as const;
				const answer = await limited(() => getHistory(building, query, current.signal));
				if (!current.signal.aborted) points.value = answer.points;
			} catch {
				// The card works without its history; the next generation asks again.
			}
		},
		{ immediate: true },
	);
	onScopeDispose(() => request?.abort());
	return points;
}
