import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
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

describe('POST /ingest refuses', () => {
	const base64url = (text: string) => Buffer.from(text).toString('base64url');
	/** Expects a refusal in the common format of errors, and that nothing is stored. */
	async function refused(body: unknown, status: number, error: object, options: Parameters<typeof post>[1] = {}) {
		const before = world.log.nextOffset;
		const answer = await post(body, options);
		expect(answer).toMatchObject({ status, body: { error: { message: expect.stringMatching(/\S/), ...error } } });
		expect(Object.keys(answer.body)).toEqual(['error']);
		expect(answer.text).not.toMatch(/\bat .*:\d+:\d+|node_modules|\.ts\b/);
		expect(world.log.nextOffset).toBe(before);
		return answer;
	}

	it.each<[string, string | Buffer]>([
		['broken JSON', '{"sensorId":'],
		['an empty body', ''],
		[
			'text that is not UTF-8',
			Buffer.concat([
				Buffer.from('{"sensorId":"s","metric":"co2","value":1,"roomId":"h'),
				Buffer.from([0xff, 0xc3]),
				Buffer.from('"}'),
			]),
		],
		['UTF-16', Buffer.from('{"sensorId":"s"}', 'utf16le')],
		['brackets that never close', '['.repeat(100_000)],
	])('%s with 400', async (_what, body) => {
		await refused(body, 400, { code: 'not_json' });
	});

	it('a request without a body with 400', async () => {
		await refused(undefined, 400, { code: 'not_json' });
	});

	it('an invalid line of NDJSON with 400 and its number', async () => {
		const headers = { 'content-type': 'application/x-ndjson' };
		const answer = await refused(
			`${JSON.stringify(reading())}\n\nnonsense\n`,
			400,
			{ code: 'not_json', index: 1 },
			{ headers },
		);
		expect(answer.body.error!.message).toContain('Line 3');
	});

	it.each<[string, string | undefined]>([
		['no token', undefined],
		['an invalid token', 'nonsense'],
		['a token with another signature', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZXZpY2U6eCJ9.c2lnbmF0dXJl'],
		['an unsigned token', `${base64url('{"alg":"none"}')}.${base64url('{"sub":"device:x"}')}.`],
	])('a request with %s with 401', async (_what, bad) => {
		const answer = await refused(reading(), 401, { code: 'unauthenticated' }, { token: bad });
		expect(answer.headers.get('www-authenticate')).toBe('Bearer, Basic realm="CrowdVision device", charset="UTF-8"');
	});

	it("an account's token with 401", async () => {
		await refused(
			reading(),
			401,
			{ code: 'unauthenticated' },
			{ token: await world.account({ domainName: 'acme', role: 'admin' }) },
		);
	});

	it.each<[string, object, object, string]>([
		['another building than the token is for', { buildingId: 'b1' }, { buildingId: 'b2' }, '/buildingId'],
		['another sensor than the token is for', { sensorIds: ['mine'] }, { buildingId: 'b1' }, '/sensorId'],
		["another domain's building", {}, { buildingId: 'foreign' }, '/buildingId'],
		["another domain's building that the token names", { buildingId: 'foreign' }, {}, '/buildingId'],
		['an unknown building', {}, { buildingId: 'nowhere' }, '/buildingId'],
	])('%s with 403', async (_what, scope, change, path) => {
		const answer = await refused(
			[{ sensorId: 'mine', metric: 'co2', value: 1, buildingId: 'b1', roomId: 'r' }, reading(change)].slice(
				'sensorIds' in scope ? 0 : 1,
			),
			403,
			{ code: 'forbidden', path },
			{
				token: await world.token('scoped', scope),
			},
		);
		expect(answer.body.error!.index).toBe('sensorIds' in scope ? 1 : 0);
	});

	it('a body over 1 MiB with 413, also if it is larger only when unpacked', async () => {
		const large = JSON.stringify([reading({ note: 'x'.repeat(1024 * 1024) })]);
		await refused(large, 413, { code: 'too_large' });
		await refused(gzipSync(large), 413, { code: 'too_large' }, { headers: { 'content-encoding': 'gzip' } });
	});

	it('other types and encodings with 415', async () => {
		for (const type of ['text/plain', 'application/xml', 'multipart/form-data', 'application/jsonp', 'nonsense']) {
			await refused('{}', 415, { code: 'unsupported_media_type' }, { headers: { 'content-type': type } });
		}
		await refused('{}', 415, { code: 'unsupported_media_type' }, { headers: { 'content-encoding': 'rot13' } });
	});

	it('a body that does not match its Content-Encoding with 400', async () => {
		await refused('not gzip', 400, { code: 'bad_request' }, { headers: { 'content-encoding': 'gzip' } });
	});

	it.each<[string, object, string]>([
		['an unknown metric', { metric: 'mood' }, '/metric'],
		['an inherited property as a metric', { metric: 'constructor' }, '/metric'],
		['a text as a value', { value: '21.5' }, '/value'],
		['a value outside the hard range', { value: 126 }, '/value'],
		['a value outside the hard range once converted', { value: 1000, unit: 'degF' }, '/value'],
		['a unit the metric is not measured in', { unit: 'lx' }, '/unit'],
		['a sensor id with a space', { sensorId: 'a b' }, '/sensorId'],
		['a sensor id that is too long', { sensorId: 'a'.repeat(129) }, '/sensorId'],
		['an empty sensor id', { sensorId: '' }, '/sensorId'],
		['a building id with a slash', { buildingId: 'b/1' }, '/buildingId'],
		['a room id with a control character', { roomId: 'a\u0000' }, '/roomId'],
		['a room id that would break out of the JSON', { roomId: 'hall","value":1,"x":"' }, '/roomId'],
		['an invalid time', { observedAt: 'yesterday' }, '/observedAt'],
		['a seq below 0', { seq: -1 }, '/seq'],
		['a seq that is no whole number', { seq: 1.5 }, '/seq'],
		['a seq that is no safe integer', { seq: 2 ** 53 }, '/seq'],
		['a boot that is no text', { boot: 5 }, '/boot'],
	])('%s with 422, its index and path, and the whole batch with it', async (_what, change, path) => {
		await refused([reading(), reading(), reading(change), reading()], 422, { code: 'invalid_reading', index: 2, path });
		await refused(reading(change), 422, { code: 'invalid_reading', index: 0, path });
	});

	it.each([
		['none', undefined],
		['"NaN"', 'NaN'],
		['null', null],
	])('%s as a value with 422 no_value, its index and path, and the whole batch with it', async (_what, value) => {
		const expected = { code: 'no_value', path: '/value' };
		await refused([reading(), reading(), reading({ value }), reading()], 422, { ...expected, index: 2 });
		await refused(reading({ value }), 422, { ...expected, index: 0 });
	});

	it('a bare NaN as a value, which JSON does not have, with 422 no_value', async () => {
		const body = '{"sensorId":"s","metric":"co2","value":NaN,"roomId":"hall"}';
		await refused(body, 422, { code: 'no_value', index: 0, path: '/value' });
	});

	it.each<[string, string, string]>([
		['an infinite number', '{"sensorId":"s","metric":"co2","roomId":"hall","value":1e999}', '/value'],
		['an infinite seq', '{"sensorId":"s","metric":"co2","roomId":"hall","value":1,"seq":1e999}', '/seq'],
		[
			'an infinite time',
			'{"sensorId":"s","metric":"co2","roomId":"hall","value":1,"observedAt":-1e999}',
			'/observedAt',
		],
		['members in a prototype', '{"__proto__":{"sensorId":"s","metric":"co2","value":1,"roomId":"hall"}}', '/metric'],
		['a value in a prototype', '{"sensorId":"s","metric":"co2","roomId":"hall","value":{"__proto__":1}}', '/value'],
		['an array in an array', '[[]]', ''],
		[
			'deep nesting',
			`{"sensorId":${'['.repeat(100_000)}${']'.repeat(100_000)},"metric":"co2","value":1,"roomId":"hall"}`,
			'/sensorId',
		],
		['very deep nesting of empty arrays', `${'['.repeat(400_000)}${']'.repeat(400_000)}`, ''],
		['an empty array', '[]', ''],
		['null', 'null', ''],
		['a bare number', '5', ''],
	])('%s with 422', async (_what, body, path) => {
		await refused(body, 422, { code: 'invalid_reading', index: 0, path });
	});

	it('a reading of an unregistered sensor without its room with 422', async () => {
		await refused([reading({ roomId: undefined })], 422, { code: 'unknown_sensor', index: 0, path: '/roomId' });
	});

	it('a reading that would move a registered sensor into another building', async () => {
		const scoped = await world.token('scoped', { buildingId: 'b2' });
		const bare = { sensorId: 'registered', metric: 'co2', value: 420 };
		for (const [body, path] of [
			[bare, '/buildingId'],
			[{ ...bare, roomId: 'hall' }, '/buildingId'],
			[{ ...bare, buildingId: 'b2' }, '/sensorId'],
		] as const) {
			const answer = await world.call('POST', '/ingest', { token: scoped, body });
			expect(answer).toMatchObject({ status: 403, body: { error: { code: 'forbidden', index: 0, path } } });
		}
		const wide = { token: await world.token('wide', { domainName: 'acme' }) };
		await refused({ ...bare, buildingId: 'b2' }, 422, { code: 'invalid_reading', index: 0, path: '/roomId' }, wide);
		const own = await world.call('POST', '/ingest', {
			token: await world.token('own', { buildingId: 'b1' }),
			body: bare,
		});
		expect(own.status).toBe(202);
		expect((await world.stored()).at(-1)).toMatchObject({ buildingId: 'b1', roomId: 'hall' });
		const { body } = await world.call('GET', '/devices', {
			token: await world.account({ domainName: 'acme', role: 'business_staff' }),
		});
		expect(body.quarantined).not.toContainEqual(expect.objectContaining({ sensorId: 'registered' }));
	});

	it('other methods with 405, and unknown paths with 404', async () => {
		for (const method of ['GET', 'PUT', 'DELETE']) {
			const answer = await world.call(method, '/ingest', { token });
			expect(answer).toMatchObject({ status: 405, body: { error: { code: 'method_not_allowed' } } });
			expect(answer.headers.get('allow')).toBe('POST');
		}
		for (const path of ['/nothing', '/ingest/x', '/__proto__', '/%E0%A4%A']) {
			expect(await world.call('GET', path)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
		}
	});

	it('requests beyond the rate limit before their body is parsed or listed', async () => {
		const slow = await openGatewayWorld({ settings: { messagesPerSecond: 1 } });
		onTestFinished(() => slow.stop());
		const options = {
			token: await slow.token('eager'),
			body: 'nonsense',
			headers: { 'content-type': 'application/x-ndjson' },
		};
		const answers = await Promise.all(Array.from({ length: 10 }, () => slow.call('POST', '/ingest', options)));
		const read = answers.filter(({ status }) => status === 400).length;
		expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(6);
		expect(await slow.rejected()).toHaveLength(read);
	});

	it('requests beyond the rate limit with 429 and the time to wait', async () => {
		const slow = await openGatewayWorld({ settings: { messagesPerSecond: 1 } });
		onTestFinished(() => slow.stop());
		const options = { token: await slow.token('eager'), body: reading() };
		const answers = await Promise.all(Array.from({ length: 10 }, () => slow.call('POST', '/ingest', options)));
		const late = answers.filter(({ status }) => status === 429);
		expect(late.length).toBeGreaterThanOrEqual(6);
		for (const answer of late) {
			expect(answer).toMatchObject({ body: { error: { code: 'rate_limited' } } });
			expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
		}
		expect(await slow.stored()).toHaveLength(10 - late.length);
		expect((await slow.call('POST', '/ingest', { ...options, token: await slow.token('calm') })).status).toBe(202);
	});

	it('readings with 503 and the time to wait while the log is full, and stores them once there is room', async () => {
		const full = await openGatewayWorld({ settings: { log: { maxBytes: 512 * 1024 } } });
		onTestFinished(() => full.stop());
		const cursor = await full.fillLog();
		const options = { token: await full.token('poster'), body: reading({ seq: 1 }) };
		const door = { ...options, body: { ...reading({ metric: 'peopleIn', value: 3, seq: 1 }) } };
		for (let i = 0; i < 3; i++) {
			for (const one of [options, door]) {
				const answer = await full.call('POST', '/ingest', one);
				expect(answer).toMatchObject({ status: 503, body: { error: { code: 'log_full' } } });
				expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
			}
		}
		cursor.commit(full.log.endOffset);
		for (const one of [options, options, door, door])
			expect(await full.call('POST', '/ingest', one)).toMatchObject({ status: 202, body: { accepted: 1 } });
		expect((await full.stored()).map(({ metric, value }) => [metric, value])).toEqual([
			['temperature', 21.5],
			['peopleCount', 3],
		]);
		expect(await full.metric('gateway_ledger_imbalance', { ledger: 'source' })).toBe(0);
		expect(await full.metric('gateway_readings_deferred_total')).toBe(6);
	});
});

it('a body refused over HTTP is listed with the reason and its beginning, and all its readings count', async () => {
	const before = await world.metric('gateway_readings_rejected_total', {
		transport: 'http',
		reason: 'invalid_reading',
	});
	await post([reading(), reading({ value: 1000, note: 'ü'.repeat(200) })]);
	expect((await world.rejected())[0]).toMatchObject({
		transport: 'http',
		source: 'POST /ingest',
		sender: 'poster',
		domainName: 'acme',
		code: 'invalid_reading',
		path: '/value',
		message: 'reading 1: /value must be from -60 to 125 degC',
		sample: expect.stringMatching(/^\[\{"sensorId":"s-\d+".*ü$/),
	});
	expect(await world.metric('gateway_readings_rejected_total', { transport: 'http', reason: 'invalid_reading' })).toBe(
		before + 2,
	);
});

it('a request that breaks off in the middle harms no other', async () => {
	const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
	socket.on('error', () => undefined);
	socket.write(
		`POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000\r\n\r\n{"sensorId":`,
	);
	await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
	socket.destroy();
	expect((await post(reading())).status).toBe(202);
});
