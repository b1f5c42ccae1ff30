import { type CommandToDevice, type Membership, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOWNLINK_DEFAULTS } from '../downlink/downlink-config.ts';
import { commandOf, type Results, resultsOn } from '../downlink/testing/results.ts';
import { type GatewayWorld, type GatewayWorldOptions, openGatewayWorld } from '../testing/gateway-world.ts';
import { sensorSocket } from '../testing/socketio-client.ts';

let world: GatewayWorld;
let results: Results;
let staff: string;
const open = async (options: GatewayWorldOptions = {}) => {
	world = await openGatewayWorld(options);
	results = await resultsOn(world.bus);
	staff = await world.account({ domainName: 'acme', role: 'business_staff' });
};
beforeEach(() => open());
afterEach(() => world.stop());

const post = (sensorId: string, body: unknown, { token = staff, query = '' } = {}) =>
	world.call('POST', `/devices/${sensorId}/command${query}`, { token, body });

/** A device that sends for the registered sensor and answers commands like this, or not at all. */
async function device(
	answer?: { ok: boolean; detail?: string },
	scope: { domainName?: string; sensorIds: string[] } = { sensorIds: ['registered'] },
) {
	const received: CommandToDevice[] = [];
	const socket = await sensorSocket(world.url, { token: await world.token('d1', scope) });
	socket.on('command', (command, done) => {
		received.push(command);
		if (answer) done?.(answer);
	});
	return received;
}

describe('POST /devices/{sensorId}/command', () => {
	it('answers 202 for a command on its way, and with ?wait its outcome', async () => {
		const received = await device({ ok: true, detail: 'blinked' });
		const { status, body } = await post('registered', { name: 'identify', args: { times: 2 }, timeoutMs: 8000 });
		expect({ status, body }).toEqual({ status: 202, body: { id: expect.any(String) } });
		expect(await results.of(body.id as string)).toMatchObject({ sensorId: 'registered', outcome: 'executed' });
		expect(received).toMatchObject([{ id: body.id, name: 'identify', args: { times: 2 } }]);
		expect(received[0]!.ttlMs).toBeLessThanOrEqual(8000);
		const waited = await post('registered', { name: 'identify' }, { query: '?wait' });
		expect(waited).toMatchObject({
			status: 200,
			body: { sensorId: 'registered', outcome: 'executed', detail: 'blinked' },
		});
	});

	it('waits on the bus for a device that is not connected, until the deadline', async () => {
		const late = await post('registered', { name: 'identify', timeoutMs: 300 }, { query: '?wait' });
		expect(late).toMatchObject({ status: 200, body: { outcome: 'expired', detail: 'the device was not connected' } });
		const waiting = post('registered', { name: 'identify', timeoutMs: 20_000 }, { query: '?wait=1' });
		await waitFor('it to be under way', async () => (await world.metric('gateway_commands_under_way')) === 1);
		await device({ ok: false, detail: 'jammed' });
		expect(await waiting).toMatchObject({ status: 200, body: { outcome: 'failed', detail: 'jammed' } });
	});

	it("is for staff of the sensor's building, or of its device's domain if it is not registered", async () => {
		await device({ ok: true });
		const as = (membership: Membership) =>
			world.account(membership).then((token) => post('registered', { name: 'identify' }, { token }));
		expect((await as({ domainName: 'acme', role: 'standard_customer' })).body.error).toMatchObject({
			code: 'forbidden',
		});
		expect((await as({ domainName: 'other', role: 'business_admin' })).body.error).toMatchObject({ code: 'not_found' });
		expect((await post('nobodys', { name: 'identify' })).body.error).toMatchObject({ code: 'not_found' });
		await device({ ok: true }, { sensorIds: ['unregistered'] });
		await device({ ok: true }, { domainName: 'other', sensorIds: ['foreign'] });
		expect((await post('unregistered', { name: 'identify' })).status).toBe(202);
		expect((await post('foreign', { name: 'identify' })).body.error).toMatchObject({ code: 'not_found' });
		expect((await world.call('POST', '/devices/registered/command', { body: { name: 'identify' } })).status).toBe(401);
		// An unknown building has no staff.
		await world.bus.retain(
			TABLES.sensors,
			'lost',
			JSON.stringify({ sensorId: 'lost', buildingId: 'gone', roomId: 'hall' }),
		);
		expect((await post('lost', { name: 'identify' })).body.error).toMatchObject({ code: 'not_found' });
	});

	it.each([
		['a missing name', {}, '/name'],
		['an invalid name', { name: 'a b' }, '/name'],
		['a deadline in the past', { name: 'x', deadline: 1000 }, '/deadline'],
		['a timeout of 0', { name: 'x', timeoutMs: 0 }, '/timeoutMs'],
		['an unknown field', { name: 'x', when: 'now' }, '/when'],
	])('refuses %s', async (_what, body, path) => {
		expect((await post('registered', body)).body.error).toMatchObject({ code: 'invalid', path });
	});

	it('refuses arguments too large for a microcontroller, and deadlines too far ahead', async () => {
		expect((await post('registered', { name: 'x', args: 'x'.repeat(5000) })).body.error).toMatchObject({
			code: 'invalid',
		});
		expect((await post('registered', { name: 'x', deadline: Date.now() + 25 * 3600_000 })).body.error).toMatchObject({
			code: 'invalid',
		});
	});
});

describe('the limits of commands', () => {
	it('allow perSecond to one sensor on average, twice that at once, and refuse more with 429', async () => {
		await world.stop();
		await open({ settings: { downlink: { ...DOWNLINK_DEFAULTS, perSecond: 1 } } });
		await device({ ok: true });
		const answers = [];
		for (let i = 0; i < 10; i++) answers.push(await post('registered', { name: 'identify' }));
		expect(answers[0]!.status).toBe(202);
		const refused = answers.find(({ status }) => status === 429);
		expect(refused?.body.error).toMatchObject({ code: 'rate_limited' });
		expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
	});

	it('allow mostPerSensor to one sensor; one more from the bus fails at once and delays no other', async () => {
		await world.stop();
		await open({ settings: { downlink: { ...DOWNLINK_DEFAULTS, mostPerSensor: 2, perSecond: 1000 } } });
		const far = { name: 'identify', timeoutMs: 3600_000 };
		for (const underWay of [1, 2]) {
			expect((await post('registered', far)).status).toBe(202);
			await waitFor('it to be under way', async () => (await world.metric('gateway_commands_under_way')) === underWay);
		}
		expect(await post('registered', far)).toMatchObject({
			status: 429,
			body: { error: { code: 'rate_limited', message: '2 commands to registered are under way' } },
		});
		await world.bus.append('commands', [commandOf('one-more', { sensorId: 'registered' })]);
		expect(await results.of('one-more')).toMatchObject({
			outcome: 'failed',
			detail: '2 commands to registered are under way',
		});
		await device({ ok: true }, { sensorIds: ['door'] });
		await world.bus.append('commands', [commandOf('others')]);
		expect(await results.of('others')).toMatchObject({ outcome: 'executed' });
	});

	it('allow a quarter of mostUnderWay to one domain and its subdomains', async () => {
		await world.stop();
		await open({ settings: { downlink: { ...DOWNLINK_DEFAULTS, mostUnderWay: 8, perSecond: 1000 } } });
		await world.bus.retain(
			TABLES.buildings,
			'north',
			JSON.stringify({ id: 'north', name: 'north', domains: ['acme/north'], rooms: [] }),
		);
		for (const [sensorId, buildingId] of [
			['a', 'b1'],
			['b', 'north'],
			['c', 'b2'],
			['d', 'foreign'],
		] as const) {
			await world.bus.retain(TABLES.sensors, sensorId, JSON.stringify({ sensorId, buildingId, roomId: 'hall' }));
		}
		await world.bus.append(
			'commands',
			['a', 'b', 'c', 'd'].map((sensorId) => commandOf(`to-${sensorId}`, { sensorId, inMs: 3600_000 })),
		);
		expect(await results.of('to-c')).toMatchObject({
			outcome: 'failed',
			detail: '2 commands to sensors of acme are under way',
		});
		await waitFor(
			'the three others to be under way',
			async () => (await world.metric('gateway_commands_under_way')) === 3,
		);
	});

	it('allow perSecond to one sensor also while its device is not connected', async () => {
		await world.stop();
		await open({ settings: { downlink: { ...DOWNLINK_DEFAULTS, perSecond: 1 } } });
		const answers = [];
		for (let i = 0; i < 4; i++) answers.push(await post('registered', { name: 'identify' }));
		expect(answers[0]!.status).toBe(202);
		expect(answers.find(({ status }) => status === 429)?.body.error).toMatchObject({ code: 'rate_limited' });
	});

	it('allow mostUnderWay at once; further commands wait on the bus for room', async () => {
		await world.stop();
		await open({ settings: { downlink: { ...DOWNLINK_DEFAULTS, mostUnderWay: 1, perSecond: 1000 } } });
		await world.bus.append('commands', [
			commandOf('late', { inMs: 1500 }),
			commandOf('patient', { sensorId: 'window', inMs: 60_000 }),
		]);
		const received = await device({ ok: true }, { sensorIds: ['window'] });
		expect(received).toEqual([]);
		expect(await results.of('late')).toMatchObject({ outcome: 'expired' });
		expect(await results.of('patient')).toMatchObject({ outcome: 'executed' });
	});
});
