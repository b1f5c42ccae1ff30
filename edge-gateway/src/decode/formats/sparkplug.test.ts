import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { candidatesIn, expectDecoded, message, NOW, refusalOf } from '../../testing/messages.ts';
import { commandIn, type SentMetric, sparkplugPayload } from '../../testing/sparkplug-node.ts';
import type { Decoding } from '../message/decoder.ts';
import { SparkplugDecoder } from './sparkplug.ts';

// Datatypes: Sparkplug 3.0, "Data Types".
const INT8 = 1;
const INT16 = 2;
const INT32 = 3;
const INT64 = 4;
const UINT64 = 8;
const FLOAT = 9;
const DOUBLE = 10;
const BOOLEAN = 11;

let requests: { topic: string; payload: Buffer; qos: number; retain: boolean }[];
let decoder: SparkplugDecoder;
beforeEach(() => {
	requests = [];
	decoder = new SparkplugDecoder(async (command) => void requests.push(command));
});

type Sent = { timestamp?: number; seq?: number; metrics?: SentMetric[] };
const take = (topic: string, payload: Sent, receivedAt = NOW): Decoding =>
	decoder.decode({ ...message(`spBv1.0/${topic}`, sparkplugPayload(payload)), receivedAt }) as Decoding;
const values = (decoding: Decoding) =>
	candidatesIn(decoding).map(({ sensorId, metric, value }) => [sensorId, metric, value]);
const presence = (state: string, owner: string) => ({ state, of: { kind: 'sensor', ids: [owner], below: true } });
const nodeBirth = (seq = 0, bdSeq = 1n, metrics: SentMetric[] = []): Sent => ({
	timestamp: NOW,
	seq,
	metrics: [{ name: 'bdSeq', datatype: UINT64, long: bdSeq }, ...metrics],
});
const CLIMATE: SentMetric[] = [
	{
		name: 'Climate/Temperature',
		alias: 1,
		datatype: DOUBLE,
		double: 21.5,
		timestamp: NOW - 1000,
		properties: { engUnit: '°C' },
	},
	{ name: 'Climate/Humidity', alias: 2, datatype: INT32, int: 45 },
	{ name: 'Firmware', alias: 3, datatype: 12, string: '1.2' },
];

describe('SparkplugDecoder, of births (Sparkplug 3.0, NBIRTH and DBIRTH),', () => {
	it('reads their values with the times and units they name', () => {
		expect(take('hq/NBIRTH/pi-1', nodeBirth())).toEqual(presence('online', 'hq.pi-1'));
		expect(candidatesIn(take('hq/DBIRTH/pi-1/hall', { timestamp: NOW, seq: 1, metrics: CLIMATE }))).toEqual([
			{ sensorId: 'hq.pi-1.hall.Climate', metric: 'temperature', value: 21.5, unit: '°C', observedAt: NOW - 1000 },
			{ sensorId: 'hq.pi-1.hall.Climate', metric: 'humidity', value: 45, observedAt: NOW },
		]);
		expect(requests).toEqual([]);
	});

	it('takes name, datatype and unit for data that use an alias', () => {
		take('hq/NBIRTH/pi-1', nodeBirth());
		take('hq/DBIRTH/pi-1/hall', {
			seq: 1,
			metrics: [{ name: 'temperature', alias: 7, datatype: INT16, int: 20, properties: { engUnit: 'degF' } }],
		});
		expect(
			candidatesIn(take('hq/DDATA/pi-1/hall', { timestamp: NOW, seq: 2, metrics: [{ alias: 7, int: 0xfffb }] })),
		).toEqual([{ sensorId: 'hq.pi-1.hall', metric: 'temperature', value: -5, unit: 'degF', observedAt: NOW }]);
	});

	it('keeps the aliases of a node when another client sends births and deaths for the same topic', () => {
		take('hq/NBIRTH/pi-1', nodeBirth(0, 1n, [{ name: 'co2', alias: 1, datatype: INT32, int: 400 }]));
		const spoof = (topic: string, payload: Sent) =>
			decoder.decode({ ...message(`spBv1.0/${topic}`, sparkplugPayload(payload)), sender: 'another client' });
		spoof('hq/NBIRTH/pi-1', nodeBirth(0, 1n, [{ name: 'peopleCount', alias: 1, datatype: INT32, int: 0 }]));
		spoof('hq/NDEATH/pi-1', { metrics: [{ name: 'bdSeq', datatype: UINT64, long: 1n }] });
		expect(values(take('hq/NDATA/pi-1', { seq: 1, metrics: [{ alias: 1, int: 420 }] }))).toEqual([
			['hq.pi-1', 'co2', 420],
		]);
		expect(requests).toEqual([]);
	});

	it('replaces the aliases of one device by its birth, and all aliases by the birth of the node', () => {
		take('hq/NBIRTH/pi-1', nodeBirth(0, 1n, [{ name: 'co2', alias: 1, datatype: INT32, int: 400 }]));
		take('hq/DBIRTH/pi-1/a', { seq: 1, metrics: [{ name: 'noise', alias: 2, datatype: INT32, int: 40 }] });
		take('hq/DBIRTH/pi-1/a', { seq: 2, metrics: [{ name: 'co2', alias: 3, datatype: INT32, int: 500 }] });
		expect(values(take('hq/NDATA/pi-1', { seq: 3, metrics: [{ alias: 1, int: 410 }] }))).toEqual([
			['hq.pi-1', 'co2', 410],
		]);
		expect(take('hq/DDATA/pi-1/a', { seq: 4, metrics: [{ alias: 2, int: 41 }] })).toBe('unknown_alias');
		take('hq/NBIRTH/pi-1', nodeBirth());
		expect(take('hq/DDATA/pi-1/a', { seq: 1, metrics: [{ alias: 3, int: 510 }] })).toBe('unknown_alias');
	});
});

describe('SparkplugDecoder, of values,', () => {
	it.each<[string, SentMetric, number]>([
		['Int8', { datatype: INT8, int: 0xfb }, -5],
		['Int8, sign extended', { datatype: INT8, int: -5 }, -5],
		['Int32', { datatype: INT32, int: -5 }, -5],
		['Int64', { datatype: INT64, long: -5n }, -5],
		['UInt64', { datatype: UINT64, long: 40_000n }, 40_000],
		['Float', { datatype: FLOAT, float: 1.5 }, 1.5],
		['Double', { datatype: DOUBLE, double: 0.1 }, 0.1],
		['no datatype', { int: 7 }, 7],
		['a text', { datatype: 12, string: '21.5' }, 21.5],
	])('reads %s', (_what, metric, expected) => {
		expect(values(take('hq/NDATA/n', { metrics: [{ name: 'temperature', ...metric }] }))).toEqual([
			['hq.n', 'temperature', expected],
		]);
	});

	it.each<[string, SentMetric, unknown]>([
		['a boolean', { datatype: BOOLEAN, boolean: true }, true],
		['a text that is no number', { datatype: 12, string: 'warm' }, 'warm'],
	])('keeps %s as it was sent, to be refused by name', (_what, metric, expected) => {
		expect(values(take('hq/NDATA/n', { metrics: [{ name: 'temperature', ...metric }] }))).toEqual([
			['hq.n', 'temperature', expected],
		]);
	});

	it.each<[string, SentMetric]>([
		['null', { datatype: DOUBLE, isNull: true, double: 1 }],
		['a text without a number', { datatype: 12, string: 'unavailable' }],
		['a bad value (Quality 0)', { datatype: DOUBLE, double: 1, properties: { Quality: 0 } }],
		['a stale value (Quality 500)', { datatype: DOUBLE, double: 1, properties: { Quality: 500 } }],
	])('leaves out %s', (_what, metric) => {
		take('hq/NBIRTH/n', nodeBirth());
		expect(take('hq/NDATA/n', { seq: 1, metrics: [{ name: 'temperature', ...metric }] })).toBe('no_value');
	});

	it('reads a value of good quality (192)', () => {
		expect(
			values(take('hq/NDATA/n', { metrics: [{ name: 'temperature', double: 1, properties: { Quality: 192 } }] })),
		).toEqual([['hq.n', 'temperature', 1]]);
	});
});

describe('SparkplugDecoder, of sequence numbers (Sparkplug 3.0, seq of the payload),', () => {
	const data = (seq: number): Sent => ({ seq, metrics: [{ name: 'co2', datatype: INT32, int: 400 }] });

	it('accepts 0 after 255', () => {
		take('hq/NBIRTH/n', nodeBirth());
		for (let i = 1; i < 600; i++) expect(take('hq/NDATA/n', data(i % 256))).toHaveLength(1);
		expect(requests).toEqual([]);
	});

	it('requests a rebirth after a gap, at most once in ten seconds, and still reads the message', () => {
		take('hq/NBIRTH/n', nodeBirth());
		expect(take('hq/NDATA/n', data(2))).toHaveLength(1);
		expect(take('hq/NDATA/n', data(9))).toHaveLength(1);
		expect(requests.map(({ topic, qos, retain }) => ({ topic, qos, retain }))).toEqual([
			{ topic: 'spBv1.0/hq/NCMD/n', qos: 0, retain: false },
		]);
		expect(commandIn(requests[0]!.payload)).toEqual([['Node Control/Rebirth', true]]);
		take('hq/NDATA/n', data(100), NOW + 10_000);
		expect(requests).toHaveLength(2);
	});

	it('reads data that arrive before a birth, and requests the birth', () => {
		expect(take('hq/NDATA/n', data(77))).toHaveLength(1);
		expect(requests).toHaveLength(1);
		take('hq/NBIRTH/n', nodeBirth(0));
		expect(take('hq/NDATA/n', data(1), NOW + 60_000)).toHaveLength(1);
		expect(requests).toHaveLength(1);
	});

	it('counts for each edge node separately', () => {
		take('hq/NBIRTH/a', nodeBirth());
		take('hq/NBIRTH/b', nodeBirth());
		take('lab/NBIRTH/a', nodeBirth());
		for (const node of ['hq/NDATA/a', 'hq/NDATA/b', 'lab/NDATA/a']) take(node, data(1));
		expect(requests).toEqual([]);
	});
});

describe('SparkplugDecoder, of deaths,', () => {
	const data = (seq: number): Sent => ({ seq, metrics: [{ alias: 1, int: 400 }] });
	const born = [{ name: 'co2', alias: 1, datatype: INT32, int: 400 }];

	it('forgets the aliases of a node at its death, until its next birth', () => {
		take('hq/NBIRTH/n', nodeBirth(0, 4n, born));
		expect(take('hq/NDEATH/n', { metrics: [{ name: 'bdSeq', long: 4n }] })).toEqual(presence('offline', 'hq.n'));
		expect(take('hq/NDATA/n', data(1))).toBe('unknown_alias');
		expect(requests).toHaveLength(1);
	});

	it('ignores the death of an earlier session (bdSeq)', () => {
		take('hq/NBIRTH/n', nodeBirth(0, 5n, born));
		expect(take('hq/NDEATH/n', { metrics: [{ name: 'bdSeq', long: 4n }] })).toBe('not_telemetry');
		expect(values(take('hq/NDATA/n', data(1)))).toEqual([['hq.n', 'co2', 400]]);
		expect(requests).toEqual([]);
	});

	it('counts the death of a device in the sequence, and forgets its aliases', () => {
		take('hq/NBIRTH/n', nodeBirth());
		take('hq/DBIRTH/n/d', { seq: 1, metrics: born });
		expect(take('hq/DDEATH/n/d', { seq: 2 })).toEqual(presence('offline', 'hq.n.d'));
		expect(take('hq/DDATA/n/d', data(3))).toBe('unknown_alias');
	});
});

describe('SparkplugDecoder, of topics,', () => {
	it.each(['hq/NCMD/n', 'hq/DCMD/n/d', 'hq/NDATA', 'hq/DDATA/n', 'hq/NDATA/n/d', 'hq/OTHER/n'])(
		'refuses spBv1.0/%s',
		(topic) => {
			expect(refusalOf(() => take(topic, {}))).toMatch(/^invalid_reading 0: the payload must have the topic spBv1\.0/);
		},
	);

	it.each(['STATE/scada', 'hq/STATE/scada'])('finds no reading in spBv1.0/%s, the state of an application', (topic) => {
		expect(take(topic, {})).toBe('not_telemetry');
	});
});

describe('SparkplugDecoder, for any message,', () => {
	const metric: fc.Arbitrary<SentMetric> = fc.record(
		{
			name: fc.constantFrom('temperature', 'Hall/co2', 'x', '__proto__', 'constructor'),
			alias: fc.nat(5),
			timestamp: fc.nat(),
			datatype: fc.nat(22),
			int: fc.integer(),
			double: fc.double(),
			string: fc.string(),
			properties: fc.dictionary(fc.constantFrom('engUnit', 'Quality', 'x'), fc.oneof(fc.string(), fc.nat())),
		},
		{ requiredKeys: [] },
	);
	const topic = fc.constantFrom(
		'hq/NBIRTH/n',
		'hq/NDATA/n',
		'hq/DBIRTH/n/d',
		'hq/DDATA/n/d',
		'hq/NDEATH/n',
		'hq/DDEATH/n/d',
	);

	it('reads the value that was sent, whatever births and deaths came before', () => {
		fc.assert(
			fc.property(
				fc.array(fc.tuple(topic, fc.array(metric), fc.nat(255))),
				fc.integer({ min: -60, max: 125 }),
				(before, value) => {
					for (const [where, metrics, seq] of before) expectDecoded(() => take(where, { seq, metrics }));
					take('hq/NBIRTH/n', nodeBirth());
					take('hq/DBIRTH/n/d', { seq: 1, metrics: [{ name: 'temperature', alias: 9, datatype: INT32, int: 0 }] });
					expect(values(take('hq/DDATA/n/d', { seq: 2, metrics: [{ alias: 9, int: value }] }))).toEqual([
						['hq.n.d', 'temperature', value],
					]);
				},
			),
		);
	});

	it('either reads or refuses a message that is cut anywhere or has any bit changed', () => {
		const bytes = sparkplugPayload({ timestamp: NOW, seq: 1, metrics: CLIMATE });
		const decode = (raw: Buffer) => expectDecoded(() => decoder.decode(message('spBv1.0/hq/DBIRTH/n/d', raw)));
		for (let cut = 0; cut < bytes.length; cut++) decode(bytes.subarray(0, cut));
		for (let at = 0; at < bytes.length; at++) {
			for (let bit = 0; bit < 8; bit++) {
				const flipped = Buffer.from(bytes);
				flipped[at]! ^= 1 << bit;
				decode(flipped);
			}
		}
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 100 }), (raw) => decode(Buffer.from(raw))),
			{ numRuns: 1000 },
		);
		decode(Buffer.alloc(1024 * 1024, 0x13));
	});

	it('keeps the state of a bounded number of nodes', () => {
		for (let i = 0; i < 3000; i++) take(`hq/NBIRTH/n${i}`, nodeBirth(0, 1n, [{ name: 'co2', alias: 1, int: 1 }]));
		expect(take('hq/NDATA/n0', { seq: 1, metrics: [{ alias: 1, int: 1 }] })).toBe('unknown_alias');
		expect(take('hq/NDATA/n2999', { seq: 1, metrics: [{ alias: 1, int: 1 }] })).toHaveLength(1);
	});
});
