import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { sendReadings, sensorSocket } from '../../src/testing/socketio-client.ts';

let world: GatewayWorld;
let token: string;
beforeAll(async () => {
	const mapping = '{"sensorId": device, "metric": "peopleIn", "value": `in`, "roomId": "hall"}';
	world = await openGatewayWorld({ settings: { decoders: [{ path: 'counter', use: 'jsonata', mapping }] } });
	token = await world.token('dev:1');
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

const basic = (id: string, password: string) => ({
	authorization: `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`,
});
const post = (path: string, body: unknown, headers: Record<string, string>) =>
	world.call('POST', path, { body, headers });
const reading = { sensorId: 'door', metric: 'peopleIn', value: 2, roomId: 'hall' };

describe('P13 HTTP Basic with device id and token', () => {
	it('is taken on every way in over HTTP: /ingest, a path of its own, and the handshake of Socket.IO', async () => {
		expect(await post('/ingest', reading, basic('dev:1', token))).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect(await post('/ingest/counter', { device: 'door', in: 1 }, basic('dev:1', token))).toMatchObject({
			status: 202,
		});
		// As a client does with http://id:token@host/, or a form with the fields user name and password.
		const extraHeaders = basic('dev:1', token);
		const socket = await sensorSocket(world.url, {}, { extraHeaders });
		expect(await sendReadings(socket, { ...reading, value: 3 })).toEqual({ ok: true, accepted: 1 });
		const bearer = { authorization: `Bearer ${token}` };
		const second = await sensorSocket(world.url, {}, { extraHeaders: bearer });
		expect(await sendReadings(second, { ...reading, value: 4 })).toEqual({ ok: true, accepted: 1 });
		expect((await world.stored()).filter(({ metric }) => metric === 'peopleCount').map(({ value }) => value)).toEqual([
			2, 3, 6, 10,
		]);
	});

	it.each<[string, () => Record<string, string> | Promise<Record<string, string>>]>([
		['no credentials', () => ({})],
		['a wrong token', () => basic('dev:1', 'wrong')],
		['an empty token', () => basic('dev:1', '')],
		['the token of another device', async () => basic('dev:1', await world.token('dev:2'))],
		['another id with the right token', () => basic('dev:10', token)],
		['credentials that are no base64', () => ({ authorization: 'Basic dev:1' })],
		['a wrong bearer token', () => ({ authorization: 'Bearer wrong' })],
	])('is answered with 401 and both schemes to %s', async (_what, headers) => {
		for (const path of ['/ingest', '/ingest/counter']) {
			const answer = await post(path, reading, await headers());
			expect(answer).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } });
			expect(answer.headers.get('www-authenticate')).toBe('Bearer, Basic realm="CrowdVision device", charset="UTF-8"');
		}
		const refused = sensorSocket(world.url, {}, { extraHeaders: await headers() });
		await expect(refused).rejects.toMatchObject({ data: { error: { code: 'unauthenticated' } } });
	});

	it('names no Basic where accounts sign in: a browser would ask for a password', async () => {
		const answer = await world.call('GET', '/devices');
		expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
	});

	it('lets `why` say that a device signed in with a wrong token', async () => {
		await post('/ingest', reading, basic('vs125-north', 'wrong'));
		const account = await world.account({ domainName: '*', role: 'admin' });
		const { body } = await world.call('GET', '/trace?sensor=vs125-north', { token: account });
		expect(body).toMatchObject({ verdict: 'not_allowed', text: expect.stringMatching(/token/) });
	});

	it('delays the answers to failed attempts of one address, over HTTP as over MQTT, and no valid one', async () => {
		const alone = await openGatewayWorld();
		onTestFinished(() => alone.stop());
		const failing = () =>
			alone.call('POST', '/ingest', { body: reading, headers: basic('dev', 'wrong') }).then(({ status }) => status);
		const order: string[] = [];
		const attempts = Array.from({ length: 40 }, () => failing().then((status) => void order.push(`${status}`)));
		const valid = alone
			.call('POST', '/ingest', { body: reading, headers: basic('dev', await alone.token('dev')) })
			.then(({ status }) => void order.push(`${status}`));
		await Promise.all([...attempts, valid]);
		expect(order.filter((status) => status === '401')).toHaveLength(40);
		// The last failures wait for about two seconds; the valid attempt waits for none of them.
		expect(order.at(-1)).toBe('401');
	});
});
