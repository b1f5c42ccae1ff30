import { type BuildingSummary, FRESHNESS_MS, METRIC_KEYS, type SensorValue } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { shallowRef } from 'vue';
import { fakeClock } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import type { LiveRoom } from './live-rooms.ts';
import { useSummary } from './use-summary.ts';

const room = (id: string) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 1, height: 1, depth: 1 },
});
const BUILDING: BuildingSummary = { id: 'b', name: 'B', domains: ['demo'], rooms: [room('hall'), room('lab')] };

beforeEach(() => fakeClock());

async function openSummary() {
	const rooms = new Map<string, LiveRoom>(
		BUILDING.rooms.map(({ id }) => [id, { samples: shallowRef({}), people: shallowRef([]) }]),
	);
	const { result } = mount(() =>
		useSummary(shallowRef(BUILDING), shallowRef(rooms), shallowRef({ keys: METRIC_KEYS, chosen: false })),
	);
	const count = (roomId: string, value: number) => {
		const sensor: SensorValue = { sensorId: roomId, value, observedAt: Date.now() };
		rooms.get(roomId)!.samples.value = { peopleCount: { unit: 'person', sensors: [sensor] } };
	};
	const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);
	return { ...result, count, wait };
}

describe('P8 the summary of the page', () => {
	it('follows the rooms within a second', async () => {
		const { summary, count, wait } = await openSummary();
		expect(summary.value).toMatchObject({ people: 0, counted: 0, rooms: 2 });
		count('hall', 3);
		count('lab', 11);
		await wait(1000);
		expect(summary.value).toMatchObject({ people: 14, counted: 2 });
		expect(summary.value.statuses).toMatchObject({ normal: 1, overcrowded: 1 });
	});

	it('greys out at the deadline of each count although nothing arrives any more', async () => {
		const { summary, count, wait } = await openSummary();
		count('hall', 3);
		await wait(60_000);
		count('lab', 4);
		await wait(FRESHNESS_MS - 60_000);
		expect(summary.value).toMatchObject({ people: 7, counted: 2 });
		await wait(1000);
		expect(summary.value).toMatchObject({ people: 4, counted: 1 });
		expect(summary.value.statuses.stale).toBe(1);
		await wait(60_000);
		expect(summary.value).toMatchObject({ people: 0, counted: 0 });
		expect(summary.value.statuses.stale).toBe(2);
	});
});

describe('what the page announces to screen readers', () => {
	it('is nothing before the first count', async () => {
		const { announcement, wait } = await openSummary();
		await wait(120_000);
		expect(announcement.value).toBe('');
	});

	it('changes when the status of a room does, and not with every count', async () => {
		const { announcement, count, wait } = await openSummary();
		count('hall', 3);
		await wait(1000);
		expect(announcement.value).toBe('3 people in 1 of 2 rooms. No data: 1.');
		count('hall', 4);
		await wait(60_000);
		expect(announcement.value).toBe('3 people in 1 of 2 rooms. No data: 1.');
		count('hall', 11);
		await wait(1000);
		expect(announcement.value).toBe('11 people in 1 of 2 rooms. Overcrowded: 1, No data: 1.');
	});

	it('changes at most every thirty seconds', async () => {
		const { announcement, count, wait } = await openSummary();
		count('hall', 3);
		await wait(1000);
		count('hall', 11);
		await wait(29_000);
		expect(announcement.value).toMatch(/^3 people/);
		await wait(1000);
		expect(announcement.value).toMatch(/^11 people/);
	});

	it('says so when the last count is out of date', async () => {
		const { announcement, count, wait } = await openSummary();
		count('hall', 3);
		await wait(FRESHNESS_MS + 2000);
		expect(announcement.value).toBe('No room has a current count. Out of date: 1, No data: 1.');
	});
});
