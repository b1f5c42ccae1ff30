import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import type { SocketOptions } from '../index.ts';
import type { Dashboard } from '../testing/dashboard.ts';
import { begin, countUp, next, open, openWorld, sent, service, useMuseum, world } from '../testing/museum.ts';
import { startStallingProxy } from '../testing/stalling-proxy.ts';

useMuseum();

describe('P12 a dashboard that comes back', () => {
	it.each<[string, SocketOptions | undefined]>([
		['from recent readings', undefined],
		['from the bus, if the cursor is older', { recent: { entries: 50, bytes: 1024 * 1024 } }],
	])('catches up %s while more comes in: every reading, in order, once', async (_how, options) => {
		await begin(options);
		const [cursor] = await world.tell(...next(1));
		await world.tell(...next(1500));
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1', cursor)).toEqual({ ok: true, cursor });
		for (let n = 0; n < 20; n++) await world.tell(...next(10));
		await waitFor('everything', () => dashboard.readings.length >= 1700);
		expect(dashboard.values()).toEqual(countUp(1, 1701));
		expect(dashboard.superseded).toEqual([]);
	});

	it.each([20_000, 40])(
		'gets every reading in order, once, through many disconnections, with %i readings held',
		async (entries) => {
			await begin({ recent: { entries, bytes: 8 * 1024 * 1024 }, everyMs: 10 });
			let writing = true;
			const writer = (async () => {
				while (writing) {
					await world.tell(...next(4));
					await new Promise((resolve) => setTimeout(resolve, 4));
				}
			})();
			const all: number[] = [];
			let cursor = '0';
			for (let cut = 0; cut < 15; cut++) {
				const dashboard = await open();
				expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
				await waitFor('a few readings', () => dashboard.readings.length > cut * 7);
				dashboard.close();
				all.push(...dashboard.values());
				cursor = dashboard.readings.at(-1)?.cursor ?? cursor;
				expect(dashboard.superseded).toEqual([]);
			}
			writing = false;
			await writer;
			const last = await open();
			await last.subscribe('museum-1', cursor);
			await waitFor('the rest', () => all.length + last.readings.length >= sent);
			expect([...all, ...last.values()]).toEqual(countUp(0, sent));
		},
	);

	it('is sent to come back when the service restarts, and misses nothing', async () => {
		await begin();
		const dashboard = await open();
		await dashboard.subscribe('museum-1');
		await world.tell(...next(10));
		await waitFor('the first readings', () => dashboard.readings.length === 10);
		await service.close();
		expect(dashboard.disconnected).toEqual(['transport close']);
		await world.tell(...next(300));
		await begin();
		const again = await open();
		await again.subscribe('museum-1', dashboard.readings.at(-1)!.cursor);
		await world.tell(...next(5));
		await waitFor('everything', () => again.readings.length >= 305);
		expect([...dashboard.values(), ...again.values()]).toEqual(countUp(0, 315));
	});

	it('gets nothing before a cursor that is ahead of the feed, as a snapshot can be', async () => {
		await begin({ everyMs: 200 });
		const dashboard = await open();
		const positions = await world.tell(...next(5));
		expect(await dashboard.subscribe('museum-1', positions[4])).toMatchObject({ ok: true });
		await world.tell(...next(5));
		await waitFor('what is new', () => dashboard.readings.length >= 5);
		expect(dashboard.values()).toEqual(countUp(5, 10));
	});

	it('is informed that its cursor is unknown, and gets the latest value and what follows', async () => {
		await begin();
		await world.tell(...next(3));
		for (const cursor of ['99999999', '1764000000000-7']) {
			const dashboard = await open();
			expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
			await waitFor('the notice', () => dashboard.superseded.length > 0);
			expect(dashboard.superseded).toEqual([
				{ buildingId: 'museum-1', reason: 'cursor_expired', from: cursor, cursor: expect.any(String) },
			]);
			const from = sent;
			await world.tell(...next(2));
			await waitFor('what is new', () => dashboard.readings.length >= 3);
			expect(dashboard.values()).toEqual(countUp(from - 1, from + 2));
		}
	});
});

describe('a cursor older than the stream', () => {
	it('is superseded, which names the gap; the readings still held follow in order, once', async () => {
		await world.stop();
		await openWorld({ log: { maxBytes: 128 * 1024, segmentBytes: 16 * 1024, whenFull: 'drop-oldest' } });
		const [cursor] = await world.tell(...next(1));
		await begin({ recent: { entries: 10, bytes: 1024 * 1024 } });
		for (let n = 0; n < 20; n++) await world.tell(...next(100));
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
		await world.tell(...next(1));
		await waitFor('the newest', () => dashboard.values().at(-1) === sent - 1);
		expect(dashboard.superseded).toHaveLength(1);
		const [gap] = dashboard.superseded;
		expect(gap).toMatchObject({ buildingId: 'museum-1', reason: 'cursor_expired', from: cursor });
		const first = dashboard.readings[0]!;
		expect(world.parts.bus.compare(first.cursor, gap!.cursor)).toBeGreaterThan(0);
		expect(first.value).toBeGreaterThan(1);
		expect(dashboard.values()).toEqual(countUp(first.value, sent));
	});
});

describe('a slow dashboard', () => {
	it('gets the latest of each room and metric, is informed of it, then gets everything again', async () => {
		await begin({ everyMs: 5 });
		const proxy = await startStallingProxy(service.url);
		const slow = await open(undefined, proxy.url);
		const quick = await open();
		for (const dashboard of [slow, quick]) await dashboard.subscribe('museum-1');
		await world.tell(...next(10));
		await waitFor('both live', () => [slow, quick].every(({ readings }) => readings.length === 10));
		proxy.stall();
		// Large enough to fill the buffers of the kernel.
		const large = { gatewayId: 'g'.repeat(4000) };
		for (let n = 0; n < 150; n++) {
			await world.tell(
				...next(20, large),
				readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'co2', value: n }),
			);
			await waitFor('the quick one', () => quick.values().includes(sent - 1));
		}
		expect(quick.readings).toHaveLength(10 + 150 * 21);
		expect(quick.superseded).toEqual([]);
		expect(slow.readings.length).toBeLessThan(quick.readings.length);
		proxy.resume();
		await waitFor('the notice', () => slow.superseded.length > 0);
		await waitFor('the latest', () => slow.values().at(-1) === 149 || slow.values().at(-1) === sent - 1);
		const [{ from, cursor, reason }] = slow.superseded as [Dashboard['superseded'][number]];
		expect(reason).toBe('slow');
		const { compare } = world.parts.bus;
		const within = slow.readings.filter(
			(reading) =>
				compare.call(world.parts.bus, reading.cursor, from!) > 0 &&
				compare.call(world.parts.bus, reading.cursor, cursor) <= 0,
		);
		expect(within.map(({ metric, value }) => [metric, value]).sort()).toEqual([
			['co2', 149],
			['illuminance', sent - 1],
		]);
		const before = quick.readings
			.filter((reading) => compare.call(world.parts.bus, reading.cursor, from!) <= 0)
			.map(({ id }) => id);
		expect(slow.readings.slice(0, -within.length).map(({ id }) => id)).toEqual(before);
		const now = sent;
		await world.tell(...next(30));
		await waitFor('everything again', () => slow.values().at(-1) === sent - 1);
		expect(slow.values().slice(-30)).toEqual(countUp(now, sent));
		expect(slow.superseded).toHaveLength(1);
		await proxy.close();
	});
});
