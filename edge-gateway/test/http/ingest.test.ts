import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';

let world: GatewayWorld;
let token: string;

beforeAll(async () => {
	world = await openGatewayWorld();
	token = await world.token('poster');
});
afterAll(async () => {
	// Nothing went missing, whatever the tests have sent.
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

let last = 0;
/** A reading of a new sensor, so that no test sees another's. */
const reading = (change: object = {}) => ({
	sensorId: `s-${++last}`,
	metric: 'temperature',
	value: 21.5,
	roomId: 'hall',
	...change,
});
const post = (body: unknown, options: { token?: string | undefined; headers?: Record<string, string> } = {}) =>
	world.call('POST', '/ingest', { token, body, ...options });
const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);

describe('POST /ingest', () => {
	it('stores a reading together with everything the gateway knows about it', async () => {
		const before = Date.now();
		const sent = reading({
			unit: 'degF',
			value: 70,
			buildingId: 'b1',
			observedAt: '2026-01-01T12:00:00+01:00',
			seq: 5,
			boot: 'x"\\',
		});
		const answer = await post(sent);
		expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
		const [stored, ...more] = await storedOf(sent.sensorId);
		expect(more).toEqual([]);
		expect(stored).toEqual({
			id: expect.stringMatching(/^[0-9a-f]{12}-\d+$/),
			sensorId: sent.sensorId,
			freshFor: 300_000,
			metric: 'temperature',
			value: 21.111111,
			unit: 'degC',
			buildingId: 'b1',
			roomId: 'hall',
			observedAt: Date.UTC(2026, 0, 1, 11),
			receivedAt: expect.any(Number),
			gatewayId: 'test',
			transport: 'http',
			timeQuality: 'synced',
			seq: 5,
			boot: 'x"\\',
		});
		expect(stored!.receivedAt).toBeGreaterThanOrEqual(before);
	});

	it('stores an array, NDJSON with empty lines, and several metrics in one object', async () => {
		const batch = [reading(), reading(), reading()];
		expect(await post(batch)).toMatchObject({ status: 202, body: { accepted: 3 } });
		const lines = `${batch.map((one) => JSON.stringify({ ...one, value: 22 })).join('\r\n\n')}\n`;
		expect(await post(lines, { headers: { 'content-type': 'application/x-ndjson' } })).toMatchObject({
			status: 202,
			body: { accepted: 3 },
		});
		const short = { type: 'temperature', roomId: 'short', timestamp: 1764000000000, temperature: 21.5, humidity: 40 };
		expect(await post({ ...short, buildingId: 'b1' })).toMatchObject({ status: 202, body: { accepted: 2 } });
		for (const { sensorId } of batch) expect((await storedOf(sensorId)).map(({ value }) => value)).toEqual([21.5, 22]);
		expect((await storedOf('b1.short')).map(({ metric, value, observedAt }) => [metric, value, observedAt])).toEqual([
			['temperature', 21.5, 1764000000000],
			['humidity', 40, 1764000000000],
		]);
	});

	it('fills in the only sensor of a token, and the room of a registered sensor', async () => {
		const one = await world.token('th', { sensorIds: ['th-1'] });
		expect(await post({ co2: 500, buildingId: 'b1', roomId: 'hall' }, { token: one })).toMatchObject({ status: 202 });
		expect(await storedOf('th-1')).toMatchObject([{ metric: 'co2', value: 500 }]);
		expect(
			await post({ sensorId: 'registered', metric: 'co2', value: 1 }, { token: await world.token('d', {}) }),
		).toMatchObject({ status: 202 });
		expect(await storedOf('registered')).toMatchObject([{ buildingId: 'b1', roomId: 'hall' }]);
	});

	it('accepts a compressed body, and a Content-Type with a charset', async () => {
		const sent = reading();
		const answer = await post(gzipSync(JSON.stringify(sent)), {
			headers: { 'content-encoding': 'gzip', 'content-type': 'Application/JSON; charset=utf-8' },
		});
		expect(answer.status).toBe(202);
		expect(await storedOf(sent.sensorId)).toHaveLength(1);
	});

	it('reads a body without a Content-Type as JSON', async () => {
		const sent = reading();
		const response = await fetch(`${world.url}/ingest`, {
			method: 'POST',
			headers: { authorization: `Bearer ${token}` },
			body: Buffer.from(JSON.stringify(sent)),
		});
		expect(response.status).toBe(202);
	});

	it('replaces an impossible time by the time of receipt, and stores the device’s time beside it', async () => {
		for (const observedAt of [0, 1e300, '1970-01-01T00:00:20Z', Date.now() + 2 * 24 * 3600_000]) {
			const sent = reading({ observedAt });
			expect((await post(sent)).status).toBe(202);
			const [stored] = await storedOf(sent.sensorId);
			expect(stored).toMatchObject({ timeQuality: 'unsynced', deviceTime: observedAt, observedAt: stored!.receivedAt });
		}
	});

	it('answers a duplicate like its original, and stores it once', async () => {
		const [first, second] = [reading({ seq: 1 }), reading({ seq: 1, boot: 'b' })];
		for (let i = 0; i < 3; i++)
			expect(await post([first, second])).toMatchObject({ status: 202, body: { accepted: 2 } });
		expect(await post([first, second, first, reading()])).toMatchObject({ status: 202, body: { accepted: 4 } });
		expect(await storedOf(first.sensorId)).toHaveLength(1);
		expect(await storedOf(second.sensorId)).toHaveLength(1);
		const twice = reading({ seq: 1 });
		expect(await post([twice, twice])).toMatchObject({ status: 202, body: { accepted: 2 } });
		expect(await storedOf(twice.sensorId)).toHaveLength(1);
	});

	it('stores the same seq with other content and no boot as a new reading, and counts a restart', async () => {
		const before = await world.metric('gateway_device_restarts_total', { transport: 'http' });
		const sent = reading({ seq: 1 });
		for (const value of [20, 21, 21]) expect((await post({ ...sent, value })).status).toBe(202);
		expect((await storedOf(sent.sensorId)).map(({ value }) => value)).toEqual([20, 21]);
		expect(await world.metric('gateway_device_restarts_total', { transport: 'http' })).toBe(before + 1);
	});

	it('turns crossings of a door into the count of its room, never below 0, each once', async () => {
		const door = { sensorId: 'door', buildingId: 'b1', roomId: 'doors' };
		const crossings: [string, number][] = [
			['peopleIn', 3],
			['peopleOut', 1],
			['peopleOut', 7],
			['peopleIn', 2],
		];
		for (const [seq, [metric, value]] of crossings.entries()) {
			for (let times = 0; times < 2; times++) expect((await post({ ...door, metric, value, seq })).status).toBe(202);
		}
		expect((await storedOf('door')).map((one) => [one.metric, one.value, one.unit, one.crossings])).toEqual([
			['peopleCount', 3, 'person', { in: 3, out: 0 }],
			['peopleCount', 2, 'person', { in: 0, out: 1 }],
			['peopleCount', 0, 'person', { in: 0, out: 7, clamped: 5 }],
			['peopleCount', 2, 'person', { in: 2, out: 0 }],
		]);
	});
});
