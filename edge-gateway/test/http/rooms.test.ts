import type { CountChange, Reading } from '@crowdvision/contracts';
import { checkAnswer } from '@crowdvision/testing/api-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OccupancyConfig } from '../../src/occupancy/occupancy-config.ts';
import {
	breakableDisk,
	type GatewayWorld,
	type GatewayWorldOptions,
	openGatewayWorld,
} from '../../src/testing/gateway-world.ts';

async function openWorld(occupancy: OccupancyConfig = {}, options: GatewayWorldOptions = {}): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ ...options, settings: { ...options.settings, occupancy } });
	onTestFinished(() => world.stop());
	return world;
}

/** Sends a reading of a door in building b1. */
async function send(world: GatewayWorld, body: object, path = '/ingest') {
	const token = await world.token('doors');
	return world.call('POST', path, { token, body: { buildingId: 'b1', roomId: 'hall', sensorId: 'door', ...body } });
}
const of = (readings: Reading[], room: string) =>
	readings.filter(({ roomId }) => roomId === room).map(({ value }) => value);
const staff = (world: GatewayWorld) => world.account({ domainName: 'acme', role: 'business_staff' });
async function correct(
	world: GatewayWorld,
	body: unknown,
	{ token, room = 'b1/hall' }: { token?: string; room?: string } = {},
) {
	const path = `/rooms/${room}/correction`;
	const answer = await world.call('POST', path, { token: token ?? (await staff(world)), body });
	checkAnswer('POST', `/gateway${path}`, answer.status, answer.body);
	return answer;
}

async function audit(world: GatewayWorld, query = '') {
	const path = `/rooms/b1/hall/audit${query}`;
	const { status, body } = await world.call('GET', path, { token: await staff(world) });
	checkAnswer('GET', `/gateway${path}`, status, body);
	return body.changes as CountChange[];
}

describe('P9 a door between two rooms', () => {
	const between = { sensorId: 'door', between: { from: 'hall', to: 'lab' } };

	it('changes both counts, each with a reading of its own', async () => {
		const world = await openWorld({ doors: [between] });
		await send(world, { sensorId: 'front', metric: 'peopleIn', value: 10 });
		expect((await send(world, { metric: 'peopleIn', value: 4 })).body).toEqual({ accepted: 1 });
		expect((await send(world, { metric: 'peopleOut', value: 1 })).body).toEqual({ accepted: 1 });
		const readings = await world.stored();
		expect([of(readings, 'hall'), of(readings, 'lab')]).toEqual([
			[10, 6, 7],
			[4, 3],
		]);
		expect(readings.slice(1, 3)).toMatchObject([
			{ roomId: 'lab', crossings: { in: 4, out: 0 } },
			{ roomId: 'hall', crossings: { in: 0, out: 4 } },
		]);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('needs no room in its readings, and counts a duplicate in neither room', async () => {
		const world = await openWorld({ doors: [between] });
		const message = { roomId: undefined, metric: 'peopleIn', value: 2, seq: 1, boot: 'a' };
		expect((await send(world, message)).body).toEqual({ accepted: 1 });
		expect((await send(world, message)).body).toEqual({ accepted: 1 });
		const token = await world.token('doors');
		const batch = [message, { ...message, seq: 2, value: 1 }].map((one) => ({
			...one,
			buildingId: 'b1',
			sensorId: 'door',
		}));
		expect((await world.call('POST', '/ingest', { token, body: batch })).body).toEqual({ accepted: 2 });
		const readings = await world.stored();
		expect([of(readings, 'hall'), of(readings, 'lab')]).toEqual([
			[0, 0],
			[2, 3],
		]);
		expect(await world.metric('gateway_readings_duplicate_total')).toBe(2);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('changes neither count when the disk fails', async () => {
		const disk = breakableDisk();
		const world = await openWorld({ doors: [between] }, { faults: disk.faults });
		await send(world, { metric: 'peopleIn', value: 2 });
		disk.breakDown();
		expect((await send(world, { metric: 'peopleIn', value: 5 })).status).toBe(503);
		disk.mend();
		await send(world, { metric: 'peopleIn', value: 1 });
		expect(of(await world.stored(), 'lab')).toEqual([2, 3]);
	});

	it('may be mounted the wrong way round (swapped), as any door may', async () => {
		const world = await openWorld({
			doors: [
				{ ...between, swapped: true },
				{ sensorId: 'side', swapped: true },
			],
		});
		await send(world, { metric: 'peopleOut', value: 3 });
		await send(world, { sensorId: 'side', metric: 'peopleOut', value: 5 });
		const readings = await world.stored();
		expect([of(readings, 'hall'), of(readings, 'lab')]).toEqual([[0, 5], [3]]);
	});
});

describe('P14 doors of one sensor id in several buildings', () => {
	it('go by the entry for their building, and by the one for all where that says nothing', async () => {
		const world = await openWorld({
			doors: [
				{ sensorId: 'door', counter: 'cumulative', perMinute: 10_000 },
				{ sensorId: 'door', buildingId: 'b2', swapped: true },
				{ sensorId: 'side', buildingId: 'b2', between: { from: 'hall', to: 'lab' } },
			],
		});
		const token = await world.token('all', {});
		const told = [
			{ buildingId: 'b1', sensorId: 'door', metric: 'peopleIn', value: 500 },
			{ buildingId: 'b1', sensorId: 'door', metric: 'peopleIn', value: 508 },
			{ buildingId: 'b2', sensorId: 'door', metric: 'peopleOut', value: 700 },
			{ buildingId: 'b2', sensorId: 'door', metric: 'peopleOut', value: 703 },
			{ buildingId: 'b1', sensorId: 'side', metric: 'peopleIn', value: 2 },
			{ buildingId: 'b2', sensorId: 'side', metric: 'peopleIn', value: 1, roomId: undefined },
		];
		for (const one of told) {
			const body = { roomId: 'hall', ...one };
			expect(await world.call('POST', '/ingest', { token, body })).toMatchObject({ body: { accepted: 1 } });
		}
		const readings = await world.stored();
		const counts = (building: string, room: string) =>
			of(
				readings.filter((one) => one.buildingId === building),
				room,
			);
		expect([counts('b1', 'hall'), counts('b1', 'lab')]).toEqual([[0, 8, 10], []]);
		expect([counts('b2', 'hall'), counts('b2', 'lab')]).toEqual([[0, 3, 2], [1]]);
	});
});

describe('P9 a door with cumulative counters', () => {
	const cumulative: OccupancyConfig = { doors: [{ sensorId: 'door', counter: 'cumulative', wrapAt: 65_536 }] };

	it('turns totals into crossings, and counts and audits wraps, resets and jumps', async () => {
		const world = await openWorld(cumulative);
		const totals = [
			{ metric: 'peopleIn', value: 65_530, boot: 'a' },
			{ metric: 'peopleOut', value: 20, boot: 'a' },
			{ metric: 'peopleIn', value: 4, boot: 'a' },
			{ metric: 'peopleOut', value: 23, boot: 'a' },
			{ metric: 'peopleIn', value: 2, boot: 'b' },
			{ metric: 'peopleOut', value: 1, boot: 'b' },
			{ metric: 'peopleIn', value: 65_000, boot: 'b' },
		];
		for (const one of totals) expect((await send(world, one)).status).toBe(202);
		const readings = await world.stored();
		expect(of(readings, 'hall')).toEqual([0, 0, 10, 7, 9, 8, 8]);
		expect(readings.map(({ crossings }) => crossings?.detected)).toEqual([
			'first',
			'first',
			'wrap',
			undefined,
			'reset',
			'reset',
			'jump',
		]);
		expect(readings[2]).toMatchObject({ crossings: { in: 10, out: 0, totalIn: 4 } });
		expect(await world.metric('gateway_room_count_events_total', { cause: 'reset' })).toBe(2);
		expect((await audit(world)).slice(0, 3)).toMatchObject([
			{ cause: 'jump', before: 8, after: 8, in: 0 },
			{ cause: 'reset', before: 9, after: 8, out: 1 },
			{ cause: 'reset', before: 7, after: 9, in: 2 },
		]);
	});

	it('is refused totals that its counter cannot have', async () => {
		const world = await openWorld(cumulative);
		for (const value of [65_536, -1, 1.5]) {
			expect(await send(world, { metric: 'peopleIn', value })).toMatchObject({
				status: 422,
				body: { error: { path: '/value', code: 'invalid_reading' } },
			});
		}
		expect((await send(world, { sensorId: 'other', metric: 'peopleIn', value: 20_000 })).status).toBe(422);
	});

	it('goes on from its last total after a kill -9, as do the count, its interval and the audit trail', async () => {
		const world = await openWorld({
			...cumulative,
			doors: [...cumulative.doors!, { sensorId: 'mid', between: { from: 'hall', to: 'lab' } }],
		});
		await send(world, { metric: 'peopleIn', value: 100 });
		await send(world, { metric: 'peopleIn', value: 140 });
		await send(world, { sensorId: 'mid', metric: 'peopleIn', value: 15 });
		await correct(world, { count: 30, note: 'counted by hand' });
		await send(world, { metric: 'peopleIn', value: 150 });
		const before = await world.stored();

		const again = await openWorld(cumulative, { copyOf: world.dataDir });
		await send(again, { metric: 'peopleIn', value: 155 });
		await send(world, { metric: 'peopleIn', value: 155 });
		const [first] = (await again.stored()).slice(before.length);
		expect(first).toMatchObject({ value: 45, crossings: { in: 5 } });
		expect(first!.interval).toEqual((await world.stored()).at(-1)!.interval);
		expect((await audit(again)).find(({ cause }) => cause === 'correction')).toMatchObject({
			before: 25,
			after: 30,
			note: 'counted by hand',
			by: 'a1',
		});
	});
});

describe('P9 a correction of a count', () => {
	it('is a reading of its own with the new count, from which the doors go on', async () => {
		const world = await openWorld();
		await send(world, { metric: 'peopleIn', value: 1000 });
		await send(world, { metric: 'peopleOut', value: 980 });
		const drifted = (await world.stored()).at(-1)!;
		expect(drifted.interval!.high - drifted.interval!.low).toBeGreaterThan(20);

		const answer = await correct(world, { count: 12, note: 'two classes gone' });
		expect(answer).toMatchObject({ status: 201, body: { before: 20, count: 12, interval: { low: 12, high: 12 } } });
		const reading = (await world.stored()).at(-1)!;
		expect(reading).toMatchObject({
			id: answer.body.id,
			sensorId: 'operator:a1',
			metric: 'peopleCount',
			value: 12,
			interval: { low: 12, high: 12 },
			adjustment: { kind: 'correction', before: 20 },
		});
		// The note is for staff only, and every member sees readings.
		expect(JSON.stringify(reading)).not.toContain('classes');
		await send(world, { metric: 'peopleIn', value: 1 });
		expect((await world.stored()).at(-1)).toMatchObject({ value: 13 });
		expect(await audit(world, '?limit=2')).toMatchObject([
			{ cause: 'crossings', sensorId: 'door', in: 1, before: 12, after: 13 },
			{ cause: 'correction', by: 'a1', name: 'Ada', note: 'two classes gone', before: 20, after: 12 },
		]);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('is for staff of the building’s domains, and for existing rooms', async () => {
		const world = await openWorld();
		await send(world, { metric: 'peopleIn', value: 3 });
		const outcome = async (body: unknown, who: { token?: string; room?: string } = {}) => {
			const { status, body: answer } = await correct(world, body, who);
			return [status, answer.error?.code];
		};
		expect((await world.call('POST', '/rooms/b1/hall/correction', { body: { count: 1 } })).status).toBe(401);
		expect(await outcome({ count: 1 }, { token: await world.token('device') })).toEqual([401, 'unauthenticated']);
		expect(
			await outcome({ count: 1 }, { token: await world.account({ domainName: 'acme', role: 'standard_customer' }) }),
		).toEqual([403, 'forbidden']);
		expect(await outcome({ count: 1 }, { token: await world.account({ domainName: 'other', role: 'admin' }) })).toEqual(
			[404, 'not_found'],
		);
		expect(await outcome({ count: 1 }, { room: 'b1/attic' })).toEqual([404, 'not_found']);
		for (const body of [{}, { count: -1 }, { count: 1.5 }, { count: 1e9 }, { count: 1, notes: '' }, []]) {
			expect(await outcome(body)).toEqual([422, 'invalid']);
		}
		expect((await world.stored()).map(({ value }) => value)).toEqual([3]);
		const forbidden = await world.call('GET', '/rooms/b1/hall/audit', {
			token: await world.account({ domainName: 'acme', role: 'standard_customer' }),
		});
		expect(forbidden.status).toBe(403);
		expect((await world.call('GET', '/rooms/b1/hall/audit?limit=0', { token: await staff(world) })).status).toBe(422);
	});

	it('is refused, with the reason, in a room whose count comes from a camera', async () => {
		const world = await openWorld();
		await send(world, { sensorId: 'camera', metric: 'peopleCount', value: 9 });
		const { status, body } = await correct(world, { count: 3 });
		expect([status, body.error?.code, body.error?.message]).toEqual([
			404,
			'not_found',
			expect.stringContaining('camera'),
		]);
		expect(await world.stored()).toHaveLength(1);
	});

	it('changes nothing when the disk fails', async () => {
		const disk = breakableDisk();
		const world = await openWorld({}, { faults: disk.faults });
		await send(world, { metric: 'peopleIn', value: 3 });
		disk.breakDown();
		expect((await correct(world, { count: 8 })).body.error?.code).toBe('unavailable');
		disk.mend();
		await send(world, { metric: 'peopleIn', value: 1 });
		expect((await world.stored()).at(-1)).toMatchObject({ value: 4 });
		expect((await audit(world)).map(({ cause }) => cause)).toEqual(['crossings', 'crossings']);
	});
});

it('P9 a count that would fall below 0 stays at 0, and its reading says by how much', async () => {
	const world = await openWorld();
	await send(world, { metric: 'peopleIn', value: 2 });
	await send(world, { metric: 'peopleOut', value: 5 });
	expect((await world.stored()).at(-1)).toMatchObject({ value: 0, crossings: { in: 0, out: 5, clamped: 3 } });
	expect(await audit(world, '?limit=1')).toMatchObject([{ cause: 'crossings', clamped: 3, after: 0 }]);
	expect(await world.metric('gateway_room_count_events_total', { cause: 'clamped' })).toBe(1);
});
