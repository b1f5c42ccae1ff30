import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { getHistory } from '../../api/endpoints.ts';
import { TREND_MS, type TrendPoint } from '../../lib/history/trend.ts';
import { limiter } from '../../lib/requests/concurrency-limit.ts';
import { serviceNow } from '../../lib/requests/service-clock.ts';

/** A hundred cards coming into view at once must not become a hundred requests at once. */
const inTurn = limiter(4);

/**
 * The last hours of one room's people, asked for when `wanted` turns true and again with each `generation`. Undefined
 * until then.
 */
export function useHistory(
	buildingId: () => string,
	roomId: () => string,
	wanted: Ref<boolean>,
	generation: () => number,
) {
	const points = shallowRef<readonly TrendPoint[]>();
	let asked: AbortController | undefined;

	watch(
		[wanted, buildingId, roomId, generation],
		async ([isWanted, building, room]) => {
			if (!isWanted) return;
			asked?.abort();
			const mine = new AbortController();
			asked = mine;
			try {
				const to = serviceNow();
				const query = { room, metric: 'peopleCount', from: to - TREND_MS, to, bucket: '5m', agg: 'avg' } as const;
				const answer = await inTurn(() => getHistory(building, query, mine.signal));
				if (!mine.signal.aborted) points.value = answer.points;
			} catch {
				// A card without its past is still right; the next generation asks again.
			}
		},
		{ immediate: true },
	);
	onScopeDispose(() => asked?.abort());
	return points;
}
