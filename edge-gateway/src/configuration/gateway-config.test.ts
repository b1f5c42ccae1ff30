import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '@crowdvision/service-kit';
import { afterAll, describe, expect, it } from 'vitest';
import { readGatewayConfig } from './gateway-config.ts';
import { parseGatewayFile } from './gateway-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'crowdvision-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Each list holds the one before ten times. */
const BILLION_LAUGHS = [
	'a: &a [x]',
	...['b', 'c', 'd', 'e', 'f', 'g'].map((key, i) => `${key}: &${key} [${`*${'abcdef'[i]},`.repeat(10)}]`),
].join('\n');

/** The mistakes with which an environment and gateway.yaml are refused, one per line. */
function mistakes(read: () => unknown): string[] {
	try {
		read();
	} catch (error) {
		if (error instanceof SettingsError) return error.message.split('\n');
		throw error;
	}
	throw new Error('it was accepted');
}
const inFile = (source: string) => mistakes(() => parseGatewayFile('gateway.yaml', source));

let files = 0;
function fileWith(source: string): string {
	const path = join(dir, `${++files}.yaml`);
	writeFileSync(path, source);
	return path;
}

describe('gateway.yaml', () => {
	it('may be empty, and may hold every key', () => {
		for (const source of ['', '# nothing\n', '---\n']) expect(parseGatewayFile('gateway.yaml', source)).toEqual({});
		const path = fileWith(`
gatewayId: pi-north-door
sources:
  serial:
    - path: /dev/serial/by-id/x
      baudRate: 9600
      framing: jsonl
      defaults: {sensorId: door-3, buildingId: demo, roomId: hall}
    - {glob: /dev/ttyUSB*, sensorIds: [a, b]}
    - {usb: {vendorId: 1a86, productId: "7523", serialNumber: x1}, requireToken: true}
  mqtt: {port: 1884}
log: {maxBytes: 1GiB, maxAge: 2d, whenFull: drop-oldest, commitEvery: 250ms}
dedup: {window: 1h, readings: 500}
limits: {messagesPerSecond: 100}
redis: {url: "redis://example:6379"}
`);
		expect(readGatewayConfig({ GATEWAY_CONFIG: path })).toMatchObject({
			gatewayId: 'pi-north-door',
			mqttPort: 1884,
			redisUrl: 'redis://example:6379',
			serial: [{ baudRate: 9600 }, { sensorIds: ['a', 'b'] }, { usb: { productId: '7523' }, requireToken: true }],
			log: { maxBytes: 1024 ** 3, maxAgeMs: 2 * 24 * 3600_000, whenFull: 'drop-oldest', commitEveryMs: 250 },
			dedup: { maxAgeSeconds: 3600, maxPerSource: 500 },
			messagesPerSecond: 100,
		});
	});

	it('may be missing, unless the environment names it', () => {
		const missing = join(dir, 'missing.yaml');
		expect(mistakes(() => readGatewayConfig({ GATEWAY_CONFIG: missing }))).toEqual([
			expect.stringMatching(/^GATEWAY_CONFIG is ".*missing\.yaml", which cannot be read: /),
		]);
		const defaults = readGatewayConfig({ GATEWAY_CONFIG: '' });
		expect(defaults).toMatchObject({ port: 8080, mqttPort: 1883, host: '127.0.0.1', serial: [], redisUrl: undefined });
		expect(defaults.log).toEqual({
			maxBytes: 512 * 1024 ** 2,
			maxAgeMs: 7 * 24 * 3600_000,
			whenFull: 'refuse',
			commitEveryMs: 0,
		});
		expect(defaults.gatewayId).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
	});

	it.each<[string, string, RegExp]>([
		[
			'a word that is not allowed',
			'log:\n  whenFull: burn\n',
			/^gateway\.yaml:2:13: log\.whenFull must be one of refuse, drop-oldest, drop-newest, thin$/,
		],
		[
			'an unknown key',
			'log:\n  maxbytes: 5MiB\n',
			/^gateway\.yaml:2:3: log\.maxbytes is not known here; known are maxBytes, maxAge, whenFull, commitEvery$/,
		],
		[
			'an unknown key at the top',
			'x: 1\ngateway: 5\n',
			/^gateway\.yaml:1:1: x is not known here; known are gatewayId, sources, /,
		],
		[
			'a number where a size belongs',
			'log: {maxBytes: 512}\n',
			/^gateway\.yaml:1:17: log\.maxBytes must be a size such as 512MiB/,
		],
		[
			'a size without a unit',
			'log: {maxBytes: "512"}\n',
			/^gateway\.yaml:1:17: log\.maxBytes must be a size such as 512MiB/,
		],
		[
			'a duration of an unknown unit',
			'log: {maxAge: 7w}\n',
			/^gateway\.yaml:1:15: log\.maxAge must be a duration such as 7d or 250ms/,
		],
		[
			'a port above 65535',
			'sources:\n  mqtt:\n    port: 70000\n',
			/^gateway\.yaml:3:11: sources\.mqtt\.port must be <= 65535$/,
		],
		['a missing key', 'redis: {}\n', /^gateway\.yaml:1:8: redis\.url is required$/],
		[
			'a text where a list belongs',
			'sources: {serial: /dev/ttyUSB0}\n',
			/^gateway\.yaml:1:19: sources\.serial must be array$/,
		],
		[
			'a mistake in a list',
			'sources:\n  serial:\n    - path: /dev/a\n    - path: /dev/b\n      baudRate: fast\n',
			/^gateway\.yaml:5:17: sources\.serial\.1\.baudRate must be integer$/,
		],
		[
			'a sensor id with a space',
			'sources: {serial: [{path: /x, defaults: {sensorId: "door 3"}}]}',
			/^gateway\.yaml:1:52: sources\.serial\.0\.defaults\.sensorId must be 1\.\.128 of /,
		],
		[
			'a serial port that cannot be found',
			'sources:\n  serial:\n    - baudRate: 9600\n',
			/^gateway\.yaml:3:7: sources\.serial\.0 must have one of path, glob, usb$/,
		],
		[
			'a serial port that is found in two ways',
			'sources:\n  serial:\n    - {path: /a, glob: /b}\n',
			/^gateway\.yaml:3:7: sources\.serial\.0 must have one of path, glob, usb$/,
		],
		[
			'columns of CSV without CSV',
			'sources: {serial: [{path: /a, csv: {columns: [seq]}}]}',
			/^gateway\.yaml:1:36: sources\.serial\.0\.csv needs framing: csv$/,
		],
		[
			'an unknown column',
			'sources: {serial: [{path: /a, framing: csv, csv: {columns: [seq, people]}}]}',
			/^gateway\.yaml:1:66: sources\.serial\.0\.csv\.columns\.1 must be one of sensorId, metric, .*peopleCount/,
		],
		[
			'two checksums',
			'sources: {serial: [{path: /a, framing: cobs, checksum: true}]}',
			/^gateway\.yaml:1:56: sources\.serial\.0\.checksum is for jsonl and csv; cobs always has a checksum$/,
		],
		[
			'flow control that reserves bytes',
			'sources: {serial: [{path: /a, framing: cobs, flowControl: xonxoff}]}',
			/^gateway\.yaml:1:59: sources\.serial\.0\.flowControl must be none or rtscts: /,
		],
		[
			'an answer without a group',
			'sources: {serial: [{path: /a, identify: {device: x, answer: "ID .*"}}]}',
			new RegExp(
				'^gateway\\.yaml:1:61: sources\\.serial\\.0\\.identify\\.answer must have one group, ' +
					"which matches the device's name; it has 0$",
			),
		],
		[
			'an answer that is no regular expression',
			'sources: {serial: [{path: /a, identify: {device: x, answer: "ID ("}}]}',
			/^gateway\.yaml:1:61: sources\.serial\.0\.identify\.answer must be a regular expression: /,
		],
		[
			'a vendor that is no number',
			'sources: {serial: [{usb: {vendorId: CH340}}]}',
			/^gateway\.yaml:1:37: sources\.serial\.0\.usb\.vendorId must be four hex digits/,
		],
		['a list for the whole', '- a\n', /^gateway\.yaml:1:1: the file must be object$/],
		[
			'a URL that is not for Redis',
			'redis: {url: "http://x"}',
			/^gateway\.yaml:1:14: redis\.url must be a URL that begins with redis:\/\/ or rediss:\/\/$/,
		],
		[
			'a key given twice',
			'gatewayId: a\ngatewayId: b\n',
			/^gateway\.yaml:2:1: gatewayId is given twice in the same map: keep one of the two/,
		],
		[
			'a key given twice in another spelling',
			'decoders: [{topic: a, use: zigbee2mqtt, rename: {"K\u00fc": {metric: co2}, "Ku\u0308": {metric: co2}}}]',
			/^gateway\.yaml:1:\d+: "Ku\u0308" is given twice in the same map: keep one of the two/,
		],
		[
			'a key given twice in JSON',
			'{"log": {"maxAge": "7d",\n"maxAge": "8d"}}',
			/^gateway\.yaml:2:1: "maxAge" is given twice in the same map/,
		],
		[
			'a blank topic of a decoder rule',
			'decoders: [{topic: " ", use: zigbee2mqtt}]',
			/^gateway\.yaml:1:\d+: decoders\.0\.topic must not be blank$/,
		],
		[
			'a blank key of a vendor',
			'decoders: [{topic: a, use: zigbee2mqtt, rename: {" ": {metric: co2}}}]',
			/^gateway\.yaml:1:\d+: decoders\.0\.rename\. {2}must have a key that is not blank$/,
		],
		[
			'a room with a mark that nobody sees',
			'decoders: [{topic: a, use: zigbee2mqtt, defaults: {roomId: "ha\u200bll"}}]',
			/^gateway\.yaml:1:\d+: decoders\.0\.defaults\.roomId must not hold the invisible character U\+200B$/,
		],
		[
			'a blank name of a metric',
			'metrics: [{key: a, unit: V, min: 0, max: 1, name: {en: " "}}]',
			/^gateway\.yaml:1:\d+: metrics\.0\.name\.en must be a name of 1 to 64 characters/,
		],
		['a tab for an indent', 'log:\n\tmaxBytes: 5MiB\n', /^gateway\.yaml:2:\d+: Tabs are not allowed/],
		['a bracket that is not closed', 'log: {maxBytes: 5MiB\n', /^gateway\.yaml:\d:\d+: .*}/],
		['a second document', 'gatewayId: a\n---\ngatewayId: b\n', /^gateway\.yaml:2:1: .*document/],
		['an alias that grows without end', BILLION_LAUGHS, /^gateway\.yaml:1:1: Excessive alias count/],
		[
			'a key that is a member of every object',
			'__proto__: {gatewayId: x}\n',
			/^gateway\.yaml:1:1: __proto__ is not known here/,
		],
		['a key with a slash in it', 'log: {a/b: 1}\n', /^gateway\.yaml:1:7: log\.a\/b is not known here/],
	])('is refused for %s, with file, line, column, the mistake and what is allowed', (_what, source, expected) => {
		expect(inFile(source)[0]).toMatch(expected);
	});

	it('is refused with all its mistakes at once', () => {
		expect(
			inFile('gatewayId: a b\nlog:\n  maxBytes: much\n  maxAge: long\nsources:\n  mqtt: {port: -1}\n').map(
				(line) => line.split(':')[1],
			),
		).toEqual(['1', '3', '4', '6']);
	});
});

describe('the environment', () => {
	it('takes precedence over the file', () => {
		const path = fileWith('sources: {mqtt: {port: 1884}}\nredis: {url: "redis://file:1"}\n');
		expect(readGatewayConfig({ GATEWAY_CONFIG: path })).toMatchObject({ mqttPort: 1884, redisUrl: 'redis://file:1' });
		expect(readGatewayConfig({ GATEWAY_CONFIG: path, MQTT_PORT: '1883', REDIS_URL: 'redis://env:2' })).toMatchObject({
			mqttPort: 1883,
			redisUrl: 'redis://env:2',
		});
		expect(readGatewayConfig({ GATEWAY_CONFIG: path, MQTT_PORT: '', REDIS_URL: '' })).toMatchObject({
			mqttPort: 1884,
			redisUrl: 'redis://file:1',
		});
	});

	it('is refused with the name of each wrong value, the value unless it is secret, and what is allowed', () => {
		const env = {
			PORT: '70000',
			MQTT_PORT: 'many',
			HOST: 'a b',
			REDIS_URL: 'http://x',
			JWT_SECRET: 'too short',
			LOG_LEVEL: 'loud',
		};
		expect(mistakes(() => readGatewayConfig(env)).sort()).toEqual([
			'HOST is "a b", but must be an IP address, also with a zone as in fe80::1%eth0, or a host name',
			'JWT_SECRET is set, but must be at least 32 characters',
			'LOG_LEVEL is "loud", but must be one of trace, debug, info, warn, error, fatal, silent',
			'MQTT_PORT is "many", but must be a whole number from 0 to 65535',
			'PORT is "70000", but must be a whole number from 0 to 65535',
			'REDIS_URL is "http://x", but must be a URL that begins with redis:// or rediss://',
		]);
	});

	it('is refused together with the file, with the mistakes of both', () => {
		const path = fileWith('gatewayId: a b\n');
		expect(mistakes(() => readGatewayConfig({ GATEWAY_CONFIG: path, PORT: 'x' }))).toEqual([
			expect.stringMatching(/^PORT is "x"/),
			expect.stringMatching(/\.yaml:1:12: gatewayId must be 1\.\.64 of /),
		]);
	});
});
