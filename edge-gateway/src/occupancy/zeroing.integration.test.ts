import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Reading, reading as readingSchema, type TimeQuality } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Ledger } from '../ledger/ledger.ts';
import { breakableDisk } from '../testing/gateway-world.ts';
import type { OccupancyConfig } from './occupancy-config.ts';
import { openOccupancy } from './open-occupancy.ts';
import type { Change } from './room-count.ts';

const at = (text: string) => Date.parse(text);
const HALL = ['b', 'hall'] as const;

/** Opens rooms with a real log and a clock that the test sets. */
async function openRooms(config: OccupancyConfig, now: string, copyOf?: string) {
	const clock = { time: at(now), now: () => clock.time, quality: 'synced' as TimeQuality, era: undefined };
	const ledger = new Ledger();
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-rooms-'));
	if (copyOf) await cp(copyOf, dir, { recursive: true });
	const disk = breakableDisk();
	const worker = startCommitWorker(disk.faults);
	const log = await Log.open({ dir: join(dir, 'log'), worker });
	const zones: Record<string, string> = { b: 'Europe/Rome' };
	const rooms = await openOccupancy({
		config,
		gatewayId: 'pi',
		dir,
		log,
		worker,
		zoneOf: (buildingId) => zones[buildingId],
		freshFor: () => 300_000,
		clock,
		ledger,
		logger: createLogger('test', 'silent'),
	});
	const { occupancy } = rooms;
	let open = true;
	const close = async () => {
		if (!open) return;
		open = false;
		disk.mend();
		await rooms.close();
		await log.close();
		await worker.close();
	};
	onTestFinished(async () => {
		await close();
		await rm(dir, { recursive: true, force: true });
	});
	return {
		...rooms,
		dir,
		clock,
		disk,
		close,
		/** Counts and stores crossings of a door as the intake does. */
		async cross(count: number, when: string, direction: 'in' | 'out' = 'in', place: readonly [string, string] = HALL) {
			const time = at(when);
			const change: Change = { kind: 'crossings', door: 'door', direction, count, at: time, receivedAt: time };
			const applied = occupancy.apply(...place, change, { offset: log.nextOffset, receivedAt: time });
			const crossings = direction === 'in' ? { in: applied.in, out: 0 } : { in: 0, out: applied.out };
			const [buildingId, roomId] = place;
			const { count: value, interval } = applied;
			await log.append([
				{
					payload: JSON.stringify({
						sensorId: 'door',
						buildingId,
						roomId,
						value,
						observedAt: time,
						receivedAt: time,
						crossings,
						interval,
					}),
				},
			]);
			applied.stored();
		},
		/** The readings with an adjustment. */
		async zeroings() {
			const { records } = await log.read(0, { maxRecords: 1000 });
			return records
				.map(({ payload }) => JSON.parse(payload.toString()) as Reading)
				.filter(({ adjustment }) => adjustment);
		},
	};
}

describe('P9 Zeroing', () => {
	it("zeroes a room once a night at the building's local time, by a reading of its own with the reason", async () => {
		const rooms = await openRooms({ nightlyReset: '04:00' }, '2026-07-01T20:00:00Z');
		await rooms.cross(5, '2026-07-01T19:00:00Z');
		await rooms.zeroing.start();
		expect(await rooms.zeroings()).toEqual([]);

		rooms.clock.time = at('2026-07-02T02:00:00.020Z');
		await rooms.zeroing.start();
		rooms.clock.time = at('2026-07-02T02:01:00Z');
		await rooms.zeroing.start();
		const [zeroing, ...more] = await rooms.zeroings();
		expect(more).toEqual([]);
		expect(readingSchema.problem(zeroing)).toBeUndefined();
		expect(zeroing).toMatchObject({
			sensorId: 'zeroing:pi',
			metric: 'peopleCount',
			value: 0,
			roomId: 'hall',
			observedAt: at('2026-07-02T02:00:00Z'),
			interval: { low: 0, high: 0 },
			adjustment: { kind: 'zeroing', reason: 'nightly', before: 5, due: at('2026-07-02T02:00:00Z') },
		});
		expect(rooms.occupancy.room(...HALL)).toMatchObject({ count: 0, interval: { low: 0, high: 0 } });
		expect(rooms.trail.of(...HALL, 1)).toMatchObject([{ cause: 'zeroing', reason: 'nightly', before: 5, after: 0 }]);
	});

	it('zeroes a room once in a night in which clocks show the time twice or skip it', async () => {
		for (const [evening, morning] of [
			['2026-10-24T20:00:00Z', '2026-10-25T06:00:00Z'],
			['2026-03-28T20:00:00Z', '2026-03-29T06:00:00Z'],
		] as const) {
			const rooms = await openRooms({ nightlyReset: '02:30' }, evening);
			await rooms.cross(5, evening);
			for (; rooms.clock.time < at(morning); rooms.clock.time += 10 * 60_000) await rooms.zeroing.start();
			expect(await rooms.zeroings()).toHaveLength(1);
		}
	});

	it('does not zero a room again after a kill -9 in the same night', async () => {
		const rooms = await openRooms({ nightlyReset: '04:00' }, '2026-07-02T02:00:01Z');
		await rooms.cross(5, '2026-07-01T19:00:00Z');
		await rooms.zeroing.start();
		expect(await rooms.zeroings()).toHaveLength(1);
		const again = await openRooms({ nightlyReset: '04:00' }, '2026-07-02T02:00:30Z', rooms.dir);
		expect(again.occupancy.room(...HALL)).toEqual(rooms.occupancy.room(...HALL));
		await again.zeroing.start();
		expect(await again.zeroings()).toHaveLength(1);
		expect(again.trail.of(...HALL, 9).filter(({ cause }) => cause === 'zeroing')).toHaveLength(1);
	});

	it('zeroes a room later if the gateway was down at the time, unless somebody has crossed since', async () => {
		const quiet = await openRooms({ nightlyReset: '04:00' }, '2026-07-02T07:00:00Z');
		await quiet.cross(5, '2026-07-01T19:00:00Z');
		await quiet.zeroing.start();
		expect(await quiet.zeroings()).toMatchObject([{ observedAt: at('2026-07-02T02:00:00Z') }]);
		await quiet.cross(2, '2026-07-02T06:00:00Z');
		expect(quiet.occupancy.count(...HALL)).toBe(2);

		const busy = await openRooms({ nightlyReset: '04:00' }, '2026-07-02T07:00:00Z');
		await busy.cross(5, '2026-07-01T19:00:00Z');
		await busy.cross(2, '2026-07-02T06:00:00Z');
		await busy.zeroing.start();
		expect(await busy.zeroings()).toEqual([]);
		expect(busy.occupancy.count(...HALL)).toBe(7);
	});

	it('zeroes no room while the time is unknown, and tries again after the disk refused the write', async () => {
		const rooms = await openRooms({ nightlyReset: '04:00' }, '2026-07-02T02:00:01Z');
		await rooms.cross(5, '2026-07-01T19:00:00Z');
		rooms.clock.quality = 'unsynced';
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(5);
		rooms.clock.quality = 'holdover';
		rooms.disk.breakDown();
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(5);
		rooms.disk.mend();
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(0);
	});

	it('does not treat a crossing just before the time became known as long ago', async () => {
		const rooms = await openRooms({ nightlyReset: '04:00', quietFor: '6h' }, '2026-01-01T00:00:00Z');
		await rooms.cross(5, '2025-12-31T19:00:00Z', 'in', ['b', 'lab']);
		rooms.clock.quality = 'unsynced';
		await rooms.zeroing.start();
		await rooms.cross(3, '2026-01-01T00:01:00Z');
		rooms.clock.time = at('2026-07-02T08:00:00Z');
		rooms.clock.quality = 'synced';
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(3);
		expect(rooms.occupancy.count('b', 'lab')).toBe(0);
		rooms.clock.time = at('2026-07-03T02:00:00Z');
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(0);
	});

	it('zeroes a room that may be empty once nobody has crossed a door for long', async () => {
		const rooms = await openRooms({ quietFor: '6h' }, '2026-07-01T18:00:00Z');
		await rooms.cross(500, '2026-07-01T17:00:00Z');
		await rooms.cross(498, '2026-07-01T18:00:00Z', 'out');
		await rooms.cross(200, '2026-07-01T18:00:00Z', 'in', ['b', 'lab']);
		rooms.clock.time = at('2026-07-01T23:59:00Z');
		await rooms.zeroing.start();
		expect(await rooms.zeroings()).toEqual([]);
		rooms.clock.time = at('2026-07-02T00:00:00Z');
		await rooms.zeroing.start();
		// A count of 2 after 998 crossings may be an error; 200 after 200 crossings is not.
		expect(await rooms.zeroings()).toMatchObject([{ roomId: 'hall', adjustment: { reason: 'quiet', before: 2 } }]);
		expect(rooms.occupancy.count('b', 'lab')).toBe(200);
		await rooms.zeroing.start();
		expect(await rooms.zeroings()).toHaveLength(1);
	});

	it('does not count the time before the start as quiet', async () => {
		const rooms = await openRooms({ quietFor: '6h' }, '2026-07-02T12:00:00Z');
		await rooms.cross(1, '2026-07-01T17:00:00Z');
		await rooms.cross(1, '2026-07-01T17:30:00Z', 'out');
		await rooms.cross(1, '2026-07-01T18:00:00Z');
		rooms.clock.time = at('2026-07-02T17:00:00Z');
		await rooms.zeroing.start();
		expect(rooms.occupancy.count(...HALL)).toBe(1);
	});

	it('applies another configuration, with the state of the rooms kept', async () => {
		const rooms = await openRooms({}, '2026-07-02T02:00:10Z');
		await rooms.cross(5, '2026-07-01T19:00:00Z');
		expect(rooms.zeroing.due()).toEqual([]);
		rooms.update({ nightlyReset: '04:00', doors: [{ sensorId: 'door', counter: 'cumulative' }] });
		expect(rooms.zeroing.due()).toMatchObject([{ roomId: 'hall', reason: 'nightly' }]);
		expect(rooms.occupancy.doors.of('door', undefined)).toMatchObject({ cumulative: true });
		expect(rooms.occupancy.count(...HALL)).toBe(5);
	});

	it('applies the rule of the room, else of the building, else of the gateway', async () => {
		const config: OccupancyConfig = {
			nightlyReset: '04:00',
			timeZone: 'America/New_York',
			rooms: [
				{ buildingId: 'b', nightlyReset: '05:00' },
				{ buildingId: 'b', roomId: 'lab', nightlyReset: 'off' },
			],
		};
		const rooms = await openRooms(config, '2026-07-01T22:00:00Z');
		for (const place of [HALL, ['b', 'lab'], ['elsewhere', 'hall']] as const)
			await rooms.cross(1, '2026-07-01T21:00:00Z', 'in', place);
		const due = (time: string) => {
			rooms.clock.time = at(time);
			return rooms.zeroing.due().map(({ buildingId, roomId }) => `${buildingId}/${roomId}`);
		};
		expect(due('2026-07-02T02:00:00Z')).toEqual([]);
		expect(due('2026-07-02T03:00:00Z')).toEqual(['b/hall']);
		expect(due('2026-07-02T08:00:00Z')).toEqual(['b/hall', 'elsewhere/hall']);
	});
});
