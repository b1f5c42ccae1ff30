import { beforeEach, describe, expect, it } from 'vitest';
import { nextTick, ref } from 'vue';
import { TREND_MS } from '../../lib/history/trend.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import { fakeServices, type Services, settle } from '../../testing/services.ts';
import { useTrend } from './use-trend.ts';

const HISTORY = 'GET /twin/buildings/works/history?';
const POINTS = [{ at: 0, value: 3, coverage: 1 }];

let services: Services;

beforeEach(() => {
	fakeClock();
	services = fakeServices();
});

function openTrend(room = 'hall', isWanted = true) {
	const wanted = ref(isWanted);
	const roomId = ref(room);
	const generation = ref(0);
	const mounted = mount(() =>
		useTrend(
			() => 'works',
			() => roomId.value,
			wanted,
			() => generation.value,
		),
	);
	return { points: mounted.result, unmount: mounted.unmount, wanted, roomId, generation };
}

describe('the trend of a room', () => {
	it('is loaded when its card comes into view, and not before', async () => {
		const { points, wanted } = openTrend('hall', false);
		expect(services.pending).toEqual([]);
		wanted.value = true;
		await nextTick();
		const request = services.next(HISTORY);
		const query = Object.fromEntries(new URL(request.path, 'http://page').searchParams);
		const now = Date.now();
		expect(query).toEqual({
			room: 'hall',
			metric: 'peopleCount',
			from: String(now - TREND_MS),
			to: String(now),
			bucket: '5m',
			agg: 'avg',
		});
		await request.answer({ points: POINTS });
		expect(points.value).toEqual(POINTS);
	});

	it('is loaded again after each snapshot, and stays on display meanwhile', async () => {
		const { points, generation } = openTrend();
		await services.next(HISTORY).answer({ points: POINTS });
		generation.value += 1;
		await nextTick();
		expect(points.value).toEqual(POINTS);
		await services.next(HISTORY).answer({ points: [] });
		expect(points.value).toEqual([]);
	});

	it('stays as it is when it cannot be loaded', async () => {
		const { points, generation } = openTrend();
		await services.next(HISTORY).answer({ points: POINTS });
		generation.value += 1;
		await nextTick();
		await services.next(HISTORY).fail();
		expect(points.value).toEqual(POINTS);
	});

	it('is never that of another room', async () => {
		const { points, roomId } = openTrend();
		const former = services.next(HISTORY);
		roomId.value = 'lab';
		await nextTick();
		expect(former.aborted).toBe(true);
		await former.answer({ points: POINTS });
		expect(points.value).toBeUndefined();
		await services.next(HISTORY).answer({ points: [] });
		expect(points.value).toEqual([]);
	});

	it('is requested for four rooms at a time, however many come into view at once', async () => {
		const rooms = Array.from({ length: 10 }, (_, index) => openTrend(`room-${index}`));
		for (let answered = 0; answered < 10; answered++) {
			expect(services.pending).toHaveLength(Math.min(4, 10 - answered));
			await services.next(`${HISTORY}room=room-${answered}&`).answer({ points: POINTS });
		}
		expect(rooms.map(({ points }) => points.value?.length)).toEqual(Array(10).fill(1));
	});

	it('is not waited for once the page is closed', async () => {
		const { unmount } = openTrend();
		const request = services.next(HISTORY);
		unmount();
		await settle();
		expect(request.aborted).toBe(true);
	});
});
