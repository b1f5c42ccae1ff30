import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { sendReadings, sensorSocket } from '../../src/testing/socketio-client.ts';

let world: GatewayWorld;
let token: string;
beforeAll(async () => {
	world = await openGatewayWorld();
	token = await world.token('sio');
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

let last = 0;
const reading = (change: object = {}) => ({
	sensorId: `s-${++last}`,
	metric: 'co2',
	value: 500,
	roomId: 'hall',
	...change,
});
const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);

describe.each(['websocket', 'polling'] as const)('Socket.IO over %s', (transport) => {
	it('answers readings in every form, duplicates included, with their number once they are stored', async () => {
		const socket = await sensorSocket(world.url, { token }, { transports: [transport] });
		const one = reading({ seq: 1 });
		for (let i = 0; i < 2; i++) {
			expect(await sendReadings(socket, one)).toEqual({ ok: true, accepted: 1 });
			expect(await storedOf(one.sensorId)).toMatchObject([{ value: 500, buildingId: 'b1', transport: 'socket.io' }]);
		}
		expect(await sendReadings(socket, [reading(), reading()])).toEqual({ ok: true, accepted: 2 });
		expect(
			await sendReadings(socket, {
				sensorId: 'short',
				buildingId: 'b1',
				roomId: 'hall',
				temperature: 20,
				humidity: 40,
			}),
		).toEqual({
			ok: true,
			accepted: 2,
		});
	});

	it.each<[string, () => Promise<object>, RegExp]>([
		['without a token', async () => ({}), /has no device token/],
		['with an invalid token', async () => ({ token: 'nonsense' }), /not valid/],
		['with a token that is no text', async () => ({ token: { sub: 'device:x' } }), /has no device token/],
		[
			"with an account's token",
			async () => ({ token: await world.account({ domainName: 'acme', role: 'admin' }) }),
			/not valid/,
		],
	])('refuses a connection %s', async (_what, auth, message) => {
		await expect(sensorSocket(world.url, await auth(), { transports: [transport] })).rejects.toMatchObject({
			message: expect.stringMatching(message),
			data: { error: { code: 'unauthenticated', message: expect.stringMatching(message) } },
		});
	});
});

describe('over Socket.IO,', () => {
	it.each<[string, unknown, string, object]>([
		[
			'a batch with a value outside the hard range',
			[reading(), reading({ value: -1 })],
			'invalid_reading',
			{ index: 1, path: '/value' },
		],
		["another domain's building", reading({ buildingId: 'foreign' }), 'forbidden', { index: 0, path: '/buildingId' }],
		[
			'an unregistered sensor without its room',
			reading({ roomId: undefined }),
			'unknown_sensor',
			{ index: 0, path: '/roomId' },
		],
		['an empty array', [], 'invalid_reading', {}],
		['a text', 'hello', 'invalid_reading', { path: '' }],
		['null', null, 'invalid_reading', { path: '' }],
		['bytes', Buffer.alloc(100_000), 'invalid_reading', {}],
		['bytes within a reading', reading({ value: Buffer.from('5') }), 'invalid_reading', { path: '/value' }],
	])('%s is answered with the reason, listed, counted and not stored', async (_what, sent, code, details) => {
		const socket = await sensorSocket(world.url, { token });
		const before = await world.metric('gateway_readings_rejected_total', { transport: 'socket.io' });
		const end = world.log.nextOffset;
		expect(await sendReadings(socket, sent)).toMatchObject({
			ok: false,
			error: { code, message: expect.any(String), ...details },
		});
		expect(world.log.nextOffset).toBe(end);
		expect(await world.metric('gateway_readings_rejected_total', { transport: 'socket.io' })).toBe(
			before + (Array.isArray(sent) ? Math.max(1, sent.length) : 1),
		);
		expect(await refusedAs(world, code)).toMatchObject({ transport: 'socket.io', source: 'reading', sender: 'sio' });
	});

	it('a message too deeply nested for any parser is refused, and the next one is stored', async () => {
		const socket = await sensorSocket(world.url, { token });
		const { engine } = socket.io;
		const answers: string[] = [];
		engine.on('data', (data: string) => answers.push(data));
		// Written by hand, because no client library can encode it: an event with the acknowledgement id 7.
		engine.write(`27["reading",${'['.repeat(200_000)}${']'.repeat(200_000)}]`);
		const answer = await waitFor('the answer', () => answers.find((data) => data.startsWith('37')));
		expect(JSON.parse(answer.slice(2))).toMatchObject([{ ok: false, error: { code: 'invalid_reading' } }]);
		expect(await sendReadings(socket, reading())).toMatchObject({ ok: true });
	});

	it('a message over 1 MiB ends its connection, and the gateway goes on', async () => {
		const socket = await sensorSocket(world.url, { token }, { transports: ['websocket'] });
		const gone = new Promise<string>((resolve) => socket.once('disconnect', resolve));
		socket.emit('reading', reading({ note: 'x'.repeat(2 * 1024 * 1024) }), () => undefined);
		expect(await gone).toMatch(/transport/);
		expect(await sendReadings(await sensorSocket(world.url, { token }), reading())).toMatchObject({ ok: true });
	});

	it('messages beyond the rate limit are refused with rate_limited', async () => {
		const slow = await openGatewayWorld({ settings: { messagesPerSecond: 1 } });
		onTestFinished(() => slow.stop());
		const socket = await sensorSocket(slow.url, { token });
		const answers = await Promise.all(Array.from({ length: 6 }, () => sendReadings(socket, reading())));
		expect(answers.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(2);
		expect(answers.at(-1)).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
	});

	it('connections are refused before the gateway takes readings, so that no burst is stored out of order', async () => {
		let early: unknown;
		const beforeStart = async (port: number) => {
			early = await sensorSocket(`http://127.0.0.1:${port}`, { token }).catch((error: unknown) => error);
		};
		const starting = await openGatewayWorld({ beforeStart });
		onTestFinished(() => starting.stop());
		expect(early).toMatchObject({ data: { error: { code: 'unavailable' } } });
		expect(await sendReadings(await sensorSocket(starting.url, { token }), reading())).toMatchObject({ ok: true });
	});

	it('readings are refused with log_full while the log is full, and taken once there is room', async () => {
		const full = await openGatewayWorld({ settings: { log: { maxBytes: 512 * 1024 } } });
		onTestFinished(() => full.stop());
		const cursor = await full.fillLog();
		const socket = await sensorSocket(full.url, { token });
		const sent = reading({ seq: 1 });
		expect(await sendReadings(socket, sent)).toMatchObject({ ok: false, error: { code: 'log_full' } });
		cursor.commit(full.log.endOffset);
		expect(await sendReadings(socket, sent)).toEqual({ ok: true, accepted: 1 });
		expect(await full.stored()).toHaveLength(1);
	});
});

it('the Socket.IO source stores a reading without an acknowledgement, and ignores unknown events', async () => {
	const socket = await sensorSocket(world.url, { token });
	const sent = reading();
	const anything = socket as unknown as { emit(event: string, ...args: unknown[]): void };
	anything.emit('reading');
	anything.emit('reading', reading({ value: -1 }));
	anything.emit('__proto__', 1);
	anything.emit('reading', sent, 'not a function');
	await waitFor('the reading', async () => (await storedOf(sent.sensorId)).length === 1);
	expect(await sendReadings(socket, reading())).toMatchObject({ ok: true });
});

it('the Socket.IO source announces when a sensor connects and disconnects', async () => {
	const events: { sensorId: string; state: string }[] = [];
	const listening = await world.bus.listen('devices', (message) => events.push(JSON.parse(message)));
	onTestFinished(() => listening.close());
	const socket = await sensorSocket(world.url, { token: await world.token('two', { sensorIds: ['x', 'y'] }) });
	await waitFor('both to be online', () => events.length === 2);
	socket.disconnect();
	await waitFor('both to be offline', () => events.length === 4);
	expect(events.map(({ sensorId, state }) => `${sensorId} ${state}`)).toEqual([
		'x online',
		'y online',
		'x offline',
		'y offline',
	]);
});
