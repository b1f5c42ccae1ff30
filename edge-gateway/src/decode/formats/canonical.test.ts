import { METRIC_KEYS } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decoded, DecodeError, type FrameContext } from '../message/candidate.ts';
import { decodeCanonical } from './canonical.ts';

const READING = { sensorId: 'door-3', metric: 'peopleCount', value: 23, buildingId: 'b1', roomId: 'hall' };

/** The readings of a frame that holds some. */
const decodedIn = (value: unknown, context: FrameContext): Decoded[] => {
	const decoding = decodeCanonical(value, context);
	if (typeof decoding === 'string') throw new Error(decoding);
	return decoding;
};
const candidatesIn = (value: unknown, context: FrameContext = {}) =>
	decodedIn(value, context).map(({ candidate }) => candidate);

/** The mistake a frame is refused for, with its index in the batch. */
function mistakeOf(value: unknown, context: FrameContext = {}): { path: string; index: number; message: string } {
	try {
		decodeCanonical(value, context);
	} catch (error) {
		if (error instanceof DecodeError)
			return { path: error.problem.path, index: error.index, message: error.problem.message };
		throw error;
	}
	throw new Error('the frame was decoded');
}

describe('decodeCanonical', () => {
	it('returns a reading unchanged, also with unknown members', () => {
		expect(decodeCanonical({ ...READING, firmware: '1.2' }, {})).toEqual([
			{ candidate: { ...READING, firmware: '1.2' }, index: 0 },
		]);
	});

	it('does not change the value it is given', () => {
		const sent = { metric: 'co2', value: 1 };
		decodeCanonical(sent, { sensorId: 's', buildingId: 'b', roomId: 'r' });
		expect(sent).toEqual({ metric: 'co2', value: 1 });
	});

	it.each([null, true, 'x', 5])('refuses %o as a reading', (value) => {
		expect(mistakeOf(value)).toMatchObject({ path: '', index: 0, message: 'must be a reading: a JSON object' });
	});

	it('does not treat an object with only metric or only value as the short form', () => {
		expect(decodeCanonical({ metric: 'co2', co2: 5 }, {})).toEqual([
			{ candidate: { metric: 'co2', co2: 5 }, index: 0 },
		]);
		expect(decodeCanonical({ value: 1, co2: 5 }, {})).toEqual([{ candidate: { value: 1, co2: 5 }, index: 0 }]);
	});
});

describe('decodeCanonical, of an array,', () => {
	it('gives every reading its index, whatever its form', () => {
		const short = { sensorId: 's', buildingId: 'b1', roomId: 'hall', temperature: 20, humidity: 50 };
		const decoded = decodedIn([READING, short, READING], {});
		expect(decoded.map(({ index, candidate }) => [index, candidate.metric])).toEqual([
			[0, 'peopleCount'],
			[1, 'temperature'],
			[1, 'humidity'],
			[2, 'peopleCount'],
		]);
	});

	it('names the index of the reading that is wrong', () => {
		expect(mistakeOf([READING, READING, 'no'])).toMatchObject({ index: 2, path: '' });
		expect(mistakeOf([READING, [READING]])).toMatchObject({ index: 1, path: '' });
	});

	it('refuses an empty array', () => {
		expect(mistakeOf([])).toMatchObject({ path: '', message: 'must hold at least one reading' });
	});
});

describe('decodeCanonical, of the short form,', () => {
	const SHORT = { type: 'temperature', buildingId: 'b1', roomId: 'hall', timestamp: 1764000000000, temperature: 21.5 };

	it('reads the value from the key of its metric and the time from timestamp', () => {
		expect(decodeCanonical(SHORT, {})).toEqual([
			{
				candidate: {
					sensorId: 'b1.hall',
					metric: 'temperature',
					value: 21.5,
					buildingId: 'b1',
					roomId: 'hall',
					observedAt: 1764000000000,
				},
				index: 0,
				path: '/temperature',
			},
		]);
	});

	it('makes one reading of each metric, all with the same seq, boot and time', () => {
		fc.assert(
			fc.property(fc.uniqueArray(fc.constantFrom(...METRIC_KEYS), { minLength: 1 }), (metrics) => {
				const shared = {
					sensorId: 's',
					buildingId: 'b',
					roomId: 'r',
					observedAt: '2026-01-01T00:00:00Z',
					seq: 7,
					boot: 'x',
				};
				const values = Object.fromEntries(metrics.map((metric, index) => [metric, index]));
				const decoded = decodedIn({ ...shared, ...values, timestamp: 1 }, {});
				expect(decoded.map(({ candidate }) => candidate.metric).sort()).toEqual([...metrics].sort());
				for (const { candidate } of decoded)
					expect(candidate).toEqual({ ...shared, metric: candidate.metric, value: values[String(candidate.metric)] });
			}),
		);
	});

	it("names the sender's only sensor, else one sensor for the room", () => {
		const sensorOf = (value: object, context: FrameContext) => decodedIn(value, context)[0]!.candidate.sensorId;
		const { type: _type, ...untyped } = SHORT;
		expect(sensorOf(untyped, { onlySensorId: 'th-1' })).toBe('th-1');
		expect(sensorOf({ ...untyped, sensorId: 'own' }, { onlySensorId: 'th-1' })).toBe('own');
		expect(sensorOf({ ...untyped, roomId: 'großer saal' }, {})).toMatch(/^b1\.gro-er-saal-[0-9a-f]{6}$/);
		expect(sensorOf({ temperature: 20 }, { sensorId: 'topic' })).toBe('topic');
		expect(sensorOf({ temperature: 20 }, {})).toBeUndefined();
		expect(sensorOf({ temperature: 20, buildingId: 'b'.repeat(100), roomId: 'r'.repeat(100) }, {})).toHaveLength(128);
	});

	it('requires the metric that its type names', () => {
		expect(mistakeOf({ ...SHORT, type: 'humidity' })).toMatchObject({
			path: '/humidity',
			message: 'is required because "type" names it',
		});
		expect(decodeCanonical({ ...SHORT, type: 'my own word' }, {})).toHaveLength(1);
	});

	it('requires a metric', () => {
		expect(mistakeOf({ buildingId: 'b1', roomId: 'hall' })).toMatchObject({ path: '/metric' });
		expect(mistakeOf({})).toMatchObject({ path: '/metric' });
	});

	it('reads no inherited member as a metric or a value', () => {
		expect(mistakeOf(JSON.parse('{"__proto__":{"temperature":20},"constructor":1}'))).toMatchObject({
			path: '/metric',
		});
		expect(mistakeOf(JSON.parse('{"type":"constructor","toString":1}'))).toMatchObject({ path: '/metric' });
	});
});

describe('decodeCanonical, with the context of a topic or a port,', () => {
	const context = { sensorId: 'door-3', buildingId: 'b1', roomId: 'hall' };

	it('accepts a payload that leaves out or repeats what the context names', () => {
		for (const value of [{ metric: 'peopleCount', value: 23 }, READING]) {
			expect(decodeCanonical(value, context)).toEqual([{ candidate: READING, index: 0 }]);
		}
		expect(candidatesIn({ peopleCount: 23 }, context)).toEqual([READING]);
	});

	it.each(['sensorId', 'buildingId', 'roomId', 'metric'])(
		'refuses a payload that contradicts the context: %s',
		(key) => {
			const given = { ...context, metric: 'peopleCount' };
			expect(mistakeOf({ ...READING, [key]: 'another' }, given)).toMatchObject({ path: `/${key}`, index: 0 });
			expect(mistakeOf([READING, { ...READING, [key]: 5 }], given)).toMatchObject({ path: `/${key}`, index: 1 });
			expect(mistakeOf({ ...READING, [key]: null }, given)).toMatchObject({ path: `/${key}` });
		},
	);

	it('accepts a bare number if the context names the metric', () => {
		const given = { ...context, metric: 'temperature' };
		expect(decodeCanonical(21.5, given)).toEqual([
			{ candidate: { ...context, metric: 'temperature', value: 21.5 }, index: 0 },
		]);
		expect(candidatesIn([1, 2], given).map(({ value }) => value)).toEqual([1, 2]);
		expect(candidatesIn('21.5', given)).toEqual(candidatesIn(21.5, given));
		expect(candidatesIn({ value: 3, seq: 1 }, given)[0]).toEqual({
			...context,
			metric: 'temperature',
			value: 3,
			seq: 1,
		});
		expect(mistakeOf('warm', given)).toMatchObject({ path: '', message: 'must be a number or a reading' });
		expect(mistakeOf(21.5, context)).toMatchObject({ path: '' });
	});

	it('refuses a short form with another metric than the context names', () => {
		expect(mistakeOf({ temperature: 20, humidity: 40 }, { ...context, metric: 'temperature' })).toMatchObject({
			path: '/metric',
		});
	});
});

it('decodeCanonical returns readings or throws a DecodeError for any JSON', () => {
	const contexts = fc.constantFrom<FrameContext>(
		{},
		{ sensorId: 's', buildingId: 'b', roomId: 'r' },
		{ metric: 'co2' },
		{ onlySensorId: 'o' },
	);
	fc.assert(
		fc.property(fc.jsonValue(), contexts, (value, context) => {
			try {
				const decoding = decodeCanonical(value, context);
				if (typeof decoding === 'string') return void expect(decoding).toBe('no_value');
				for (const { candidate, index } of decoding) {
					expect(typeof candidate).toBe('object');
					expect(index).toBeGreaterThanOrEqual(0);
				}
			} catch (error) {
				expect(error).toBeInstanceOf(DecodeError);
			}
		}),
		{ numRuns: 500 },
	);
});
