import { afterAll, describe, expect, it } from 'vitest';
import { COUNTER_CODEC } from '../../testing/codecs.ts';
import { candidatesIn, message, NOW } from '../../testing/messages.ts';
import { DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { BUILT_IN } from '../vendor/vocabulary.ts';
import { CodecDecoder, type CodecOptions } from './codec.ts';
import { CodecRunner } from './codec-runner.ts';

const runner = new CodecRunner();
afterAll(() => runner.close());

const codecOf = (text: string, more: Partial<CodecOptions> = {}) =>
	new CodecDecoder({ codec: { name: 'vendor.js', text }, fPort: 1, variables: {}, ...more }, BUILT_IN, runner);
const bytes = (hex: string): Message => message('lora/dev-7/up', Buffer.from(hex, 'hex'), 'dev-7');
const readings = async (text: string, sent: Message = bytes('00'), more?: Partial<CodecOptions>) =>
	candidatesIn(await codecOf(text, more).decode(sent));
const refusal = async (text: string, sent: Message = bytes('00')) => {
	try {
		return await codecOf(text).decode(sent);
	} catch (error) {
		if (error instanceof DecodeError) return `${error.code}: ${error.message}`;
		throw error;
	}
};

const thingsUplink = (hex: string) =>
	message('v3/app@tenant/devices/dev-1/up', {
		end_device_ids: { device_id: 'dev-1' },
		uplink_message: {
			session_key_id: 'AY',
			f_cnt: 7,
			f_port: 85,
			received_at: '2026-11-28T11:59:58Z',
			frm_payload: Buffer.from(hex, 'hex').toString('base64'),
		},
	});
const chirpstackUplink = (hex: string) =>
	message('application/1/device/a84041/event/up', {
		deviceInfo: { devEui: 'a84041' },
		devAddr: '0018',
		fCnt: 7,
		fPort: 85,
		time: '2026-11-28T11:59:58Z',
		data: Buffer.from(hex, 'hex').toString('base64'),
	});

describe('P13 a vendor codec', () => {
	it('reads the raw uplink of The Things Stack, with its time and frame counter', async () => {
		expect(await readings(COUNTER_CODEC, thingsUplink('0800dc0903'))).toEqual([
			{ sensorId: 'dev-1', observedAt: '2026-11-28T11:59:58Z', seq: 7, boot: 'AY', metric: 'temperature', value: 22 },
			{ sensorId: 'dev-1', observedAt: '2026-11-28T11:59:58Z', seq: 7, boot: 'AY', metric: 'peopleCount', value: 3 },
		]);
	});

	it('reads the raw uplink of ChirpStack, with its time and frame counter', async () => {
		expect(await readings(COUNTER_CODEC, chirpstackUplink('0903'))).toEqual([
			{ sensorId: 'a84041', observedAt: '2026-11-28T11:59:58Z', seq: 7, boot: '0018', metric: 'peopleCount', value: 3 },
		]);
	});

	it('reads bytes that come without a network server, of the device that the topic names', async () => {
		expect(await readings(COUNTER_CODEC, bytes('08fff0'))).toEqual([
			{ sensorId: 'dev-7', metric: 'temperature', value: -1.6 },
		]);
	});

	it('is given bytes, port, time of receipt and variables as TS013 has them', async () => {
		const text = `function decodeUplink(input) {
			return { data: {
				temperature: input.bytes.length, humidity: input.fPort, co2: input.recvTime.getUTCFullYear(),
				pressure: Number(input.variables.offset), illuminance: Array.isArray(input.bytes) ? 1 : 0,
			} };
		}`;
		const variables = { offset: '900' };
		const values = (one: object[]) => one.map((candidate) => (candidate as { value: number }).value);
		expect(values(await readings(text, bytes('0102'), { variables, fPort: 15 }))).toEqual([2, 15, 2026, 900, 1]);
		expect(values(await readings(text, thingsUplink('01'), { variables }))).toEqual([1, 85, 2026, 900, 1]);
		expect(new Date(NOW).getUTCFullYear()).toBe(2026);
	});

	it.each<[string, string]>([
		[
			'Decode(fPort, bytes), as ChirpStack v3 calls it',
			'function Decode(fPort, bytes) { return {co2: fPort * 100 + bytes[0]}; }',
		],
		[
			'Decoder(bytes, port), as The Things Network v2',
			'function Decoder(bytes, port) { return {co2: port * 100 + bytes[0]}; }',
		],
		[
			'module.exports',
			'module.exports = {decodeUplink: function (i) { return {data: {co2: i.fPort * 100 + i.bytes[0]}}; }};',
		],
		['a constant', 'const decodeUplink = ({bytes: [one], fPort}) => ({data: {co2: fPort * 100 + one}});'],
		['strict mode', '"use strict"; function decodeUplink(i) { return {data: {co2: i.fPort * 100 + i.bytes[0]}}; }'],
		[
			'several entries',
			'function Decoder() { return {co2: 1}; } function decodeUplink() { return {data: {co2: 105}}; }',
		],
	])('may have its entry as %s', async (_what, text) => {
		expect(await readings(text, bytes('05'))).toEqual([{ sensorId: 'dev-7', metric: 'co2', value: 105 }]);
	});

	it('may return several payloads, and values that are none', async () => {
		const text =
			'function decodeUplink() { return {data: [{co2: 400, humidity: NaN}, {co2: 410, temperature: undefined}]}; }';
		expect((await readings(text)).map(({ value }) => value)).toEqual([400, 410]);
	});

	it('has the events of a network server that hold no bytes read as without a codec', async () => {
		const status = message('application/1/device/a84041/event/status', {
			deviceInfo: { devEui: 'a84041' },
			batteryLevel: 80,
		});
		expect(await readings(COUNTER_CODEC, status)).toEqual([{ sensorId: 'a84041', metric: 'battery', value: 80 }]);
		const decoded = message('v3/a/devices/d/up', {
			end_device_ids: { device_id: 'd' },
			uplink_message: { decoded_payload: { co2: 400 } },
		});
		expect(await readings(COUNTER_CODEC, decoded)).toMatchObject([{ sensorId: 'd', metric: 'co2', value: 400 }]);
	});

	it('keeps nothing from one message to the next', async () => {
		const text = `var seen = 0;
			function decodeUplink() { return {data: {co2: ++seen + (globalThis.kept = (globalThis.kept || 0) + 1)}}; }`;
		const decoder = codecOf(text);
		for (const sent of [bytes('00'), bytes('01')])
			expect(candidatesIn(await decoder.decode(sent))).toMatchObject([{ value: 2 }]);
	});
});

describe('P13 a vendor codec that fails', () => {
	it.each<[string, string, RegExp]>([
		['throws', 'function decodeUplink(input) {\n  return input.nothing.here;\n}', /TypeError: .* \(vendor\.js:2\)$/],
		['throws a text', 'function decodeUplink() { throw "too short"; }', /fail: too short$/],
		['reports errors', COUNTER_CODEC, /says the codec vendor\.js: unknown channel 0$/],
		['returns nothing', 'function decodeUplink() {}', /decodeUplink returned no object$/],
		['is asynchronous', 'async function decodeUplink() { return {data: {co2: 1}}; }', /asynchronous/],
		['returns a circle', 'function decodeUplink() { var o = {}; o.o = o; return {data: o}; }', /circular reference/],
		['does not parse here', 'function decodeUplink( {', /SyntaxError/],
		['has no entry', 'var decode = 1;', /none of the functions decodeUplink, Decode and Decoder is defined/],
		[
			'returns too much',
			'function decodeUplink() { return {data: "x".repeat(1e6)}; }',
			/longer than 262144 characters/,
		],
	])('has its message refused with the reason if it %s', async (_what, text, expected) => {
		expect(await refusal(text)).toMatch(/^not_decoded: /);
		expect(await refusal(text)).toMatch(expected);
	});

	it.each<[string, string]>([
		['loops', 'for (;;);'],
		['loops in a regular expression', '/^(a+)+$/.test("a".repeat(40) + "!")'],
		['takes memory', 'var a = []; for (;;) a.push(new Array(1e5).fill(1))'],
		['takes memory at once', 'new Uint8Array(1e9).fill(1)'],
		['builds a text', 'var s = "x"; for (;;) s += s'],
		['calls itself', '(function f() { return f() + 1; })()'],
		['catches its own end', 'for (;;) { try { for (;;); } catch (e) {} }'],
	])('costs only its own message when it %s', async (_what, runaway) => {
		const text = `function decodeUplink(input) {
			if (input.bytes[0] === 255) { ${runaway}; }
			return {data: {co2: 400}};
		}`;
		const decoder = codecOf(text);
		const sent = ['ff', '00'].map((hex) => Promise.resolve(decoder.decode(bytes(hex))));
		const other = readings(COUNTER_CODEC, bytes('0903'));
		await expect(sent[0]).rejects.toThrow(/made the codec vendor\.js fail: /);
		expect(candidatesIn(await sent[1]!)).toMatchObject([{ metric: 'co2', value: 400 }]);
		expect(await other).toMatchObject([{ metric: 'peopleCount', value: 3 }]);
	});

	it('costs only its own message when it hangs where the interpreter does not look', async () => {
		const own = new CodecRunner(1500);
		const codec = {
			name: 'vendor.js',
			text: `function decodeUplink(input) {
				if (input.bytes[0]) [].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);
				return { data: { co2: 1 } };
			}`,
		};
		const decoder = new CodecDecoder({ codec, fPort: 1, variables: {} }, BUILT_IN, own);
		const [bad, good] = ['01', '00'].map((hex) => Promise.resolve(decoder.decode(bytes(hex))));
		await expect(bad).rejects.toThrow(/was stopped/);
		expect(candidatesIn(await good!)).toHaveLength(1);
		await own.close();
	});

	it('reaches neither the process nor files, modules, timers, the network or the environment', async () => {
		const names = [
			'process',
			'require',
			'fetch',
			'setTimeout',
			'WebAssembly',
			'std',
			'os',
			'Deno',
			'Buffer',
			'performance',
		];
		const text = `function decodeUplink() {
			var found = ${JSON.stringify(names)}.filter(function (name) { return typeof globalThis[name] !== 'undefined'; });
			var outer = (0, eval)('this').constructor.constructor('return typeof process')();
			return {errors: found.concat(outer === 'undefined' ? [] : [outer]), data: {co2: 1}};
		}`;
		expect(await readings(text)).toHaveLength(1);
		expect(await refusal('import("node:fs"); function decodeUplink() { return import("node:fs"); }')).toMatch(/fail: /);
	});

	it('cannot break the gateway by replacing what the sandbox uses', async () => {
		const text = `
			JSON.stringify = JSON.parse = function () { return '{"data":{"co2":9999}}'; };
			Date = null;
			Object.prototype.toJSON = function () { return 'x'; };
			function decodeUplink() { return {data: {co2: 1, __proto__: {polluted: 1}}}; }`;
		await refusal(text);
		expect(({} as { polluted?: number }).polluted).toBeUndefined();
		expect(await readings('JSON.stringify = 1; function decodeUplink() { return {data: {co2: 1}}; }')).toHaveLength(1);
	});
});
