import {
	type BuildingSummary,
	type DeviceEvent,
	FRESHNESS_MS,
	type LatestValue,
	type ReadingWithCursor,
} from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { nextTick, type Ref, shallowRef } from 'vue';
import { combine } from '../../lib/live/samples.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import { fakeServices, type Services, settle } from '../../testing/services.ts';
import { useLiveBuilding } from './use-live-building.ts';

const STATE = 'GET /twin/buildings/works/state';
const FRAME_MS = 16;

const room = (id: string) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 1, height: 1, depth: 1 },
});
const building = (id: string): BuildingSummary => ({
	id,
	name: id,
	domains: ['demo'],
	rooms: [room('hall'), room('lab')],
});

let services: Services;
let shown: Ref<BuildingSummary>;
let live: ReturnType<typeof useLiveBuilding>;
let unmount: () => void;
/** The subscription of the moment. */
let followed: { buildingId: string; cursor: () => string | undefined } | undefined;
let subscriptions: [buildingId: string, cursor: string | undefined][];
let count = 0;

beforeEach(() => {
	fakeClock();
	vi.spyOn(Math, 'random').mockReturnValue(0);
	onTestFinished(() => void vi.restoreAllMocks());
	services = fakeServices();
	vi.stubGlobal('document', { hidden: false });
	vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, FRAME_MS));
	vi.stubGlobal('cancelAnimationFrame', clearTimeout);
	subscriptions = [];
	followed = undefined;
	const connection = {
		follow(buildingId: string, cursor: () => string | undefined) {
			followed = { buildingId, cursor };
			subscriptions.push([buildingId, cursor()]);
		},
		unfollow() {
			followed = undefined;
		},
		close() {},
	};
	shown = shallowRef(building('works'));
	({ result: live, unmount } = mount(() => useLiveBuilding(shown, () => connection)));
});

function reading(value: number, over: Partial<ReadingWithCursor> = {}): ReadingWithCursor {
	count += 1;
	return {
		id: `r${count}`,
		cursor: `c${count}`,
		sensorId: 'door',
		metric: 'peopleCount',
		value,
		unit: 'person',
		buildingId: 'works',
		roomId: 'hall',
		observedAt: Date.now() + count,
		receivedAt: Date.now() + count,
		gatewayId: 'g',
		transport: 'mqtt',
		timeQuality: 'synced',
		...over,
	};
}

function snapshot(cursor: string, value?: number) {
	const now = Date.now();
	const peopleCount: LatestValue = {
		value: value ?? 0,
		unit: 'person',
		sensorId: 'door',
		observedAt: now,
		freshness: 'live',
		freshUntil: now + FRESHNESS_MS,
		stale: false,
	};
	return { cursor, rooms: value === undefined ? {} : { hall: { values: { peopleCount } } } };
}

const load = (cursor: string, value?: number) => services.next(STATE).answer(snapshot(cursor, value));
const people = (roomId = 'hall') =>
	combine('peopleCount', live.rooms.value.get(roomId)?.samples.value.peopleCount, Date.now());
const offlineHall = (at: number): DeviceEvent => ({ sensorId: 'door', state: 'offline', at, gatewayId: 'g' });

describe('P12 the live values of a building', () => {
	it('begin with a snapshot and follow the building from its cursor', async () => {
		expect(live.loaded.value).toBe(false);
		await load('c0', 4);
		expect(live.loaded.value).toBe(true);
		expect(people()?.value).toBe(4);
		expect([...live.rooms.value.keys()]).toEqual(['hall', 'lab']);
		expect(subscriptions).toEqual([['works', 'c0']]);
	});

	it('apply readings in order, once per frame, and re-render only the rooms that changed', async () => {
		await load('c0');
		const lab = live.rooms.value.get('lab')!.samples.value;
		live.onTelemetry([reading(1), reading(2)]);
		live.onTelemetry([reading(3)]);
		expect(people()).toBeUndefined();
		vi.advanceTimersByTime(FRAME_MS);
		expect(people()?.value).toBe(3);
		expect(live.rooms.value.get('lab')!.samples.value).toBe(lab);
	});

	it('resume from the cursor of the last reading received, although it is not applied yet', async () => {
		await load('c0');
		const readings = [reading(1), reading(2)];
		live.onTelemetry(readings);
		expect(followed?.cursor()).toBe(readings[1]!.cursor);
	});

	it('lose nothing and count nothing twice when readings are delivered again after a reconnect', async () => {
		await load('c0');
		const [a, b, c] = [reading(1), reading(2), reading(3)];
		live.onTelemetry([a, b]);
		live.onTelemetry([a, b, c]);
		vi.advanceTimersByTime(FRAME_MS);
		const points = live.rooms.value.get('hall')!.people.value;
		expect(people()?.value).toBe(3);
		live.onTelemetry([a, b, c]);
		vi.advanceTimersByTime(FRAME_MS);
		expect(live.rooms.value.get('hall')!.people.value).toBe(points);
		expect(followed?.cursor()).toBe(c.cursor);
	});

	it('ignore readings and events of another building', async () => {
		await load('c0', 4);
		live.onTelemetry([reading(9, { buildingId: 'other' })]);
		live.onSuperseded('other');
		vi.advanceTimersByTime(60_000);
		expect(people()?.value).toBe(4);
		expect(followed?.cursor()).toBe('c0');
		expect(services.pending).toEqual([]);
	});

	it('keep readings that arrived while the snapshot was loading and are newer than it', async () => {
		const early = reading(7, { observedAt: Date.now() + 5000 });
		live.onTelemetry([early]);
		await load('c0', 4);
		expect(people()?.value).toBe(7);
	});

	it('know of a device that went offline while the snapshot was loading', async () => {
		const request = services.next(STATE);
		const state = snapshot('c0', 4);
		vi.advanceTimersByTime(1000);
		live.onDevice(offlineHall(Date.now()));
		await request.answer(state);
		expect(people()?.freshness).toBe('offline');
		live.onDevice({ ...offlineHall(Date.now()), state: 'online' });
		expect(people()?.freshness).toBe('live');
	});

	it('add counts that arrive live to the trend, and not those of a snapshot', async () => {
		await load('c0', 4);
		expect(live.rooms.value.get('hall')!.people.value).toEqual([]);
		const latest = reading(5);
		live.onTelemetry([latest, reading(21, { metric: 'temperature', unit: 'degC' })]);
		vi.advanceTimersByTime(FRAME_MS);
		const first = { at: latest.observedAt, value: 5, until: latest.observedAt + FRESHNESS_MS };
		expect(live.rooms.value.get('hall')!.people.value).toEqual([first]);
		// Until when a count is current decides how far its line reaches (P13).
		const at = latest.observedAt + 60_000;
		const rare = reading(6, { observedAt: at, receivedAt: at, freshFor: 100 * 60_000 });
		live.onTelemetry([rare]);
		vi.advanceTimersByTime(FRAME_MS);
		const second = { at, value: 6, until: at + 100 * 60_000 };
		expect(live.rooms.value.get('hall')!.people.value).toEqual([first, second]);
	});

	it('ask for the snapshot again, later each time, and show why there is none', async () => {
		for (const delay of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
			await services.next(STATE).refuse(503, 'unavailable');
			expect(live.error.value).toMatchObject({ code: 'unavailable' });
			vi.advanceTimersByTime(delay - 1);
			expect(services.pending).toEqual([]);
			vi.advanceTimersByTime(1);
		}
		await load('c0', 4);
		expect(live.error.value).toBeUndefined();
		expect(people()?.value).toBe(4);
	});

	it('load a new snapshot at once when readings were left out, and tell that history may have a gap', async () => {
		await load('c0', 4);
		const { value: before } = live.generation;
		vi.advanceTimersByTime(30_001);
		live.onSuperseded('works');
		await load('c9', 6);
		expect(people()?.value).toBe(6);
		expect(live.generation.value).toBe(before + 1);
		expect(subscriptions.at(-1)).toEqual(['works', 'c9']);
	});

	it('wait longer each time for a service that keeps leaving readings out, and not once it has recovered', async () => {
		await load('c0', 4);
		for (const delay of [500, 1000, 2000]) {
			live.onSuperseded('works');
			vi.advanceTimersByTime(delay - 1);
			expect(services.pending).toEqual([]);
			vi.advanceTimersByTime(1);
			await load('c1', 5);
		}
		vi.advanceTimersByTime(30_001);
		live.onSuperseded('works');
		await load('c2', 6);
		live.onSuperseded('works');
		vi.advanceTimersByTime(500);
		expect(services.pending).toHaveLength(1);
	});

	it('are those of the chosen building only: what was on its way for the former one is dropped', async () => {
		const former = services.next(STATE);
		live.onTelemetry([reading(9)]);
		shown.value = building('other');
		await nextTick();
		expect(former.aborted).toBe(true);
		expect(followed).toBeUndefined();
		await former.answer(snapshot('c0', 4));
		vi.advanceTimersByTime(1000);
		expect(live.loaded.value).toBe(false);
		expect(people()).toBeUndefined();
		await services.next('GET /twin/buildings/other/state').answer(snapshot('c5', 2));
		expect(people()?.value).toBe(2);
		expect(subscriptions).toEqual([['other', 'c5']]);
	});

	it('stay as they are when the building list is loaded again', async () => {
		await load('c0', 4);
		shown.value = building('works');
		await nextTick();
		expect(people()?.value).toBe(4);
		expect(services.pending).toEqual([]);
	});

	it('end with the page: no request, no subscription, no timer', async () => {
		await load('c0', 4);
		live.onTelemetry([reading(9)]);
		live.onSuperseded('works');
		unmount();
		await settle();
		expect(followed).toBeUndefined();
		expect(vi.getTimerCount()).toBe(0);
	});
});
