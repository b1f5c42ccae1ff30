import { type Rejection, type Replayed, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

let world: GatewayWorld;
let staff: string;
beforeEach(async () => {
	world = await openGatewayWorld();
	staff = await world.account({ domainName: 'acme', role: 'business_staff' });
});
afterEach(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

/** A reading without a room, of a sensor that is not registered. */
const withoutRoom = (change: object = {}) => ({ sensorId: 'newcomer', metric: 'co2', value: 500, ...change });

async function refuse(
	body: unknown,
	change: { token?: string; headers?: Record<string, string> } = {},
): Promise<Rejection> {
	const token = change.token ?? (await world.token('poster'));
	const answer = await world.call('POST', '/ingest', { token, body, headers: change.headers ?? {} });
	expect(answer.status).toBe(422);
	return (await listed(''))[0]!;
}
async function listed(query: string, token = staff): Promise<Rejection[]> {
	const answer = await world.call('GET', `/rejected${query}`, { token });
	expect(answer.status).toBe(200);
	return answer.body.rejected as Rejection[];
}
async function replay(body: unknown, token = staff): Promise<Replayed[]> {
	const answer = await world.call('POST', '/rejected/replay', { token, body });
	expect(answer.status, answer.text).toBe(200);
	return answer.body.replayed as Replayed[];
}
const register = (sensorId: string) =>
	world.bus.retain(TABLES.sensors, sensorId, JSON.stringify({ sensorId, buildingId: 'b1', roomId: 'hall' }));

describe('POST /rejected/replay', () => {
	it('stores a message once its cause is mended, with its time of receipt, and once only', async () => {
		const refusal = await refuse(withoutRoom());
		expect(refusal).toMatchObject({ code: 'unknown_sensor', sensorId: 'newcomer', whole: true });
		expect(await replay({ ids: [refusal.id] })).toEqual([
			{ id: refusal.id, outcome: 'refused', code: 'unknown_sensor', message: refusal.message },
		]);
		expect(await listed('')).toHaveLength(1);
		await register('newcomer');
		const [first, second] = await Promise.all([
			replay({ ids: [refusal.id] }),
			replay({ filter: { sensor: 'newcomer' } }),
		]);
		expect(first).toEqual([{ id: refusal.id, outcome: 'accepted', accepted: 1 }]);
		expect(second).toEqual([]);
		expect(await replay({ ids: [refusal.id] })).toEqual([{ id: refusal.id, outcome: 'already' }]);
		expect(await world.stored()).toMatchObject([
			{ sensorId: 'newcomer', roomId: 'hall', receivedAt: refusal.at, observedAt: refusal.at, transport: 'http' },
		]);
		expect(await listed('')).toEqual([]);
		expect(await listed('?state=replayed')).toMatchObject([{ id: refusal.id, replayed: { accepted: 1 } }]);
	});

	it('replays the messages that match a filter in the order of receipt, batches and NDJSON included', async () => {
		await refuse([withoutRoom({ value: 1 }), withoutRoom({ value: 2 })]);
		await refuse(`${JSON.stringify(withoutRoom({ value: 3 }))}\n${JSON.stringify(withoutRoom({ value: 4 }))}\n`, {
			headers: { 'content-type': 'application/x-ndjson' },
		});
		await refuse(withoutRoom({ sensorId: 'another' }));
		await register('newcomer');
		expect(await replay({ filter: { sensor: 'newcomer', code: 'unknown_sensor' } })).toMatchObject([
			{ outcome: 'accepted', accepted: 2 },
			{ outcome: 'accepted', accepted: 2 },
		]);
		expect((await world.stored()).map(({ value }) => value)).toEqual([1, 2, 3, 4]);
		expect(await listed('')).toMatchObject([{ sensorId: 'another' }]);
	});

	it('reads a message on a formerly unknown topic with a mapping added since, also after a restart', async () => {
		const client = await mqttClient(world.mqttUrl, 'poster', await world.token('poster'));
		await client.publishAsync('acme/cam-7/uplink', JSON.stringify({ count: 4 }), { qos: 1 });
		const [refusal] = await listed('?topic=acme/%2B/uplink');
		expect(refusal).toMatchObject({ code: 'bad_request', source: 'acme/cam-7/uplink' });
		expect(await replay({ ids: [refusal!.id] })).toMatchObject([{ outcome: 'refused', code: 'bad_request' }]);
		const before = world;
		await before.gateway.stop();
		const mapping = '{"sensorId": "cam-7", "metric": "peopleCount", "value": count, "roomId": "hall"}';
		world = await openGatewayWorld({
			copyOf: before.dataDir,
			settings: { decoders: [{ topic: 'acme/+/uplink', use: 'jsonata', mapping }] },
		});
		await before.stop();
		expect(await replay({ filter: { topic: 'acme/#' } })).toEqual([
			{ id: refusal!.id, outcome: 'accepted', accepted: 1 },
		]);
		expect(await world.stored()).toMatchObject([
			{ sensorId: 'cam-7', metric: 'peopleCount', value: 4, buildingId: 'b1', receivedAt: refusal!.at },
		]);
		expect(await listed('')).toEqual([]);
	});

	it('gives a message no more rights than its sender: with a revoked token it stays refused', async () => {
		const refusal = await refuse(withoutRoom());
		await register('newcomer');
		await world.bus.retain(
			TABLES.revokedDevices,
			'poster',
			JSON.stringify({ before: Math.ceil(Date.now() / 1000) + 1 }),
		);
		const [outcome] = await waitFor('the revocation', async () => {
			const replayed = await replay({ ids: [refusal.id] });
			return replayed[0]?.outcome === 'refused' && replayed;
		});
		expect(outcome).toMatchObject({ outcome: 'refused', code: 'forbidden' });
		expect(await world.stored()).toEqual([]);
	});

	it('covers the caller’s domains only, and treats other messages as if they did not exist', async () => {
		const refusal = await refuse(withoutRoom());
		const stranger = await world.account({ domainName: 'other', role: 'business_admin' });
		await register('newcomer');
		expect(await listed('', stranger)).toEqual([]);
		expect(await replay({ ids: [refusal.id, 4711] }, stranger)).toEqual([
			{ id: refusal.id, outcome: 'not_kept' },
			{ id: 4711, outcome: 'not_kept' },
		]);
		expect(await replay({ filter: { sensor: 'newcomer' } }, stranger)).toEqual([]);
		expect(await world.stored()).toEqual([]);
	});

	it('is for staff, and names the mistake in a request', async () => {
		const customer = await world.account({ domainName: 'acme', role: 'standard_customer' });
		expect(await world.call('POST', '/rejected/replay', { token: customer, body: { ids: [1] } })).toMatchObject({
			status: 403,
		});
		expect(await world.call('POST', '/rejected/replay', { body: { ids: [1] } })).toMatchObject({ status: 401 });
		for (const body of [
			{},
			{ ids: [] },
			{ ids: ['1'] },
			{ filter: {} },
			{ filter: { senser: 'x' } },
			{ ids: [1], filter: { sensor: 'x' } },
		]) {
			expect(await world.call('POST', '/rejected/replay', { token: staff, body }), JSON.stringify(body)).toMatchObject({
				status: 422,
				body: { error: { code: 'invalid' } },
			});
		}
		expect(await world.call('GET', '/rejected?limit=0', { token: staff })).toMatchObject({
			status: 422,
			body: { error: { path: '/limit' } },
		});
		expect(await world.call('GET', '/rejected?since=2026-13-45', { token: staff })).toMatchObject({
			status: 422,
			body: { error: { path: '/since' } },
		});
	});
});

describe('GET /rejected', () => {
	it('names the sensor that a mapping finds in a refused message, found by sensor, device and topic', async () => {
		await world.stop();
		const mapping = '{"sensorId": "cam-" & no, "metric": "peopleCount", "value": count}';
		world = await openGatewayWorld({ settings: { decoders: [{ topic: 'acme/+/uplink', use: 'jsonata', mapping }] } });
		const client = await mqttClient(world.mqttUrl, 'poster', await world.token('poster'));
		await client.publishAsync('acme/no-7/uplink', JSON.stringify({ no: 7, count: 4 }), { qos: 1 });
		const [refusal] = await listed('?sensor=cam-7');
		expect(refusal).toMatchObject({
			code: 'unknown_sensor',
			sensorId: 'cam-7',
			sender: 'poster',
			source: 'acme/no-7/uplink',
		});
		for (const query of ['sensor=cam-7', 'sensor=poster', 'sensor=no-7', 'topic=acme/%2B/uplink']) {
			const { body } = await world.call('GET', `/trace?${query}`, { token: staff });
			expect([query, body.verdict]).toEqual([query, 'unknown_device']);
			expect(body.messages).toHaveLength(1);
		}
		// Messages stored since are found by the same names.
		await register('cam-7');
		await client.publishAsync('acme/no-7/uplink', JSON.stringify({ no: 7, count: 5 }), { qos: 1 });
		const newest = async (query: string) => (await world.call('GET', `/trace?${query}`, { token: staff })).body;
		for (const query of ['sensor=cam-7', 'sensor=no-7', 'topic=acme/%2B/uplink'])
			expect(await newest(query)).toMatchObject({
				verdict: 'delivered',
				text: expect.stringMatching(/^peopleCount 5 /),
			});
		await client.publishAsync('telemetry/b1/hall/near', JSON.stringify({ metric: 'co2', value: 400 }), { qos: 1 });
		const { messages } = await newest('sensor=poster');
		expect((messages as { verdict: string }[]).map(({ verdict }) => verdict)).toEqual([
			'delivered',
			'delivered',
			'unknown_device',
		]);
	});

	it('pages through the rejected messages, newest first', async () => {
		for (let value = 1; value <= 5; value++) await refuse(withoutRoom({ value }));
		const pages: number[][] = [];
		for (let query = '?limit=2'; ; ) {
			const { body } = await world.call('GET', `/rejected${query}`, { token: staff });
			pages.push((body.rejected as Rejection[]).map(({ sample }) => (JSON.parse(sample) as { value: number }).value));
			if (body.next === undefined) break;
			query = `?limit=2&before=${body.next}`;
		}
		expect(pages).toEqual([[5, 4], [3, 2], [1]]);
	});
});
