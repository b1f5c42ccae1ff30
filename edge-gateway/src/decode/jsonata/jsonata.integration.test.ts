import { BUILT_IN_METRICS, CrowdVisionError } from '@crowdvision/contracts';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { candidatesIn, message } from '../../testing/messages.ts';
import { DecodeError } from '../message/candidate.ts';
import { JsonataDecoder } from './jsonata.ts';
import { mappingMistake } from './jsonata-mapping.ts';

const open: JsonataDecoder[] = [];
afterEach(async () => {
	for (const decoder of open.splice(0)) await decoder.close();
});
function mapping(text: string, timeoutMs?: number): JsonataDecoder {
	const decoder = new JsonataDecoder(text, BUILT_IN_METRICS, timeoutMs);
	open.push(decoder);
	return decoder;
}
const map = (text: string, payload: unknown) => mapping(text).decode(message('acme/door-7/uplink', payload, 'door-7'));
const refusal = (decoded: Promise<unknown>) =>
	decoded.then(
		() => 'not refused',
		(error: unknown) =>
			error instanceof DecodeError || error instanceof CrowdVisionError ? `${error.code}: ${error.message}` : error,
	);

describe('a JSONata mapping', () => {
	it('returns one reading, as in the example of the documentation', async () => {
		const text = '{"sensorId": id, "metric": "peopleCount", "value": n}';
		expect(candidatesIn(await map(text, { id: 'door-7', n: 23 }))).toEqual([
			{ sensorId: 'door-7', metric: 'peopleCount', value: 23 },
		]);
	});

	it('returns an array, the short form, or parts of the topic', async () => {
		expect(
			candidatesIn(
				await map('sensors.{"sensorId": $levels[1] & "." & id, "metric": "co2", "value": ppm}', {
					sensors: [
						{ id: 1, ppm: 400 },
						{ id: 2, ppm: 500 },
					],
				}),
			),
		).toEqual([
			{ sensorId: 'door-7.1', metric: 'co2', value: 400 },
			{ sensorId: 'door-7.2', metric: 'co2', value: 500 },
		]);
		expect(
			candidatesIn(
				await map('{"sensorId": $name, "temperature": t, "humidity": h, "observedAt": $receivedAt}', { t: 20, h: 40 }),
			),
		).toHaveLength(2);
		expect(candidatesIn(await map('{"sensorId": $topic, "metric": "noise", "value": $}', 42))).toEqual([
			{ sensorId: 'acme/door-7/uplink', metric: 'noise', value: 42 },
		]);
	});

	it.each([
		'nothing.here',
		'kind = "uplink" ? {"metric": "co2", "value": 1}',
		'[]',
		'null',
		'sensors[ppm > 9].{"value": ppm}',
	])('that returns nothing yields no reading: %s', async (text) => {
		expect(await map(text, { kind: 'status', sensors: [] })).toBe('nothing_mapped');
	});

	it('cannot return functions or change a prototype', async () => {
		expect(
			candidatesIn(await map('{"metric": "co2", "value": 1, "f": function($x){$x}, "__proto__": {"polluted": 1}}', {})),
		).toMatchObject([{ metric: 'co2', value: 1 }]);
		expect(({} as { polluted?: number }).polluted).toBeUndefined();
	});
});

const numbers = (payload: string) =>
	`($r := $split(${payload}, ","); {"sensorId": $r[0], "peopleIn": $number($r[1]), "peopleOut": $number($r[2])})`;
const values = (sensorId: string, ...[peopleIn, peopleOut]: number[]) => [
	{ sensorId, metric: 'peopleIn', value: peopleIn },
	{ sensorId, metric: 'peopleOut', value: peopleOut },
];

describe('P13 a JSONata mapping over text', () => {
	it.each<[string, string, string | Buffer, unknown[]]>([
		['a row of CSV', numbers('$'), 'door-1,3,2', values('door-1', 3, 2)],
		['a row with a line end', numbers('$'), 'door-1,3,2\r\n', values('door-1', 3, 2)],
		['a row that a C program ends with NUL', numbers('$'), 'door-1,3,2\0', values('door-1', 3, 2)],
		['a row behind a UTF-8 mark', numbers('$'), '\ufeffdoor-1,3,2', values('door-1', 3, 2)],
		['names beyond ASCII', numbers('$'), 'Tür,3,2', values('Tür', 3, 2)],
		[
			'several rows',
			'$split($, "\n").($row := $split($, ";"); {"sensorId": $row[0], "metric": "co2", "value": $number($row[1])})',
			'a;400\nb;500\n',
			[
				{ sensorId: 'a', metric: 'co2', value: 400 },
				{ sensorId: 'b', metric: 'co2', value: 500 },
			],
		],
		[
			'key and value',
			'{"sensorId": "t1", "metric": "temperature", "value": $number($match($, /T=(-?[0-9.]+)/).groups[0])}',
			'T=-4.5 H=80',
			[{ sensorId: 't1', metric: 'temperature', value: -4.5 }],
		],
		[
			'a bare value that is JSON, as the value that it is',
			'{"sensorId": "t1", "metric": "temperature", "value": $}',
			'21.5',
			[{ sensorId: 't1', metric: 'temperature', value: 21.5 }],
		],
		[
			'JSON as text, by $text',
			'{"sensorId": "t1", "metric": "noise", "value": $length($text)}',
			'{"a": 1}',
			[{ sensorId: 't1', metric: 'noise', value: 8 }],
		],
		[
			'a text that begins like JSON, by $text',
			'{"sensorId": "t1", "metric": "co2", "value": $number($substringAfter($text, "] "))}',
			'[12:30:01] 612',
			[{ sensorId: 't1', metric: 'co2', value: 612 }],
		],
	])('reads %s', async (_what, text, payload, expected) => {
		const raw = Buffer.from(payload);
		expect(candidatesIn(await mapping(text).decode(message('acme/door/csv', raw)))).toEqual(expected);
	});

	it('still refuses a torn JSON document, which must not pass for a text', async () => {
		expect(await refusal(map('{"metric": "co2", "value": n}', Buffer.from('{"n": 400, "m":')))).toMatch(/^not_json: /);
		expect(await refusal(map('{"metric": "co2", "value": n}', Buffer.from(' [1, 2')))).toMatch(/^not_json: /);
	});
});

/** The refusal of a message for which the mapping fails in `line`. */
const failedAt = (line: number, reason: string) =>
	new RegExp(`^not_decoded: the payload made the mapping fail at line ${line}, column \\d: ${reason}$`);

describe('a JSONata mapping that fails', () => {
	it.each<[string, string, unknown, RegExp]>([
		[
			'an addition to a text',
			'{"value":\n  n + 1}',
			{ n: 'x' },
			failedAt(2, 'The left side of the "\\+" operator must evaluate to a number'),
		],
		['a call of something that is no function', '$nope(1)', {}, failedAt(1, 'Attempted to invoke a non-function')],
		['an error that the mapping raises', '$error("no serial number")', {}, /^not_decoded: .*no serial number$/],
		['a result that is not a reading', '"text"', {}, /^invalid_reading: the payload must be a reading/],
		['invalid JSON', 'a', '{', /^not_json: /],
		['invalid UTF-8', 'a', Buffer.from([0x22, 0xff, 0x22]), /^not_json: /],
	])(
		'has the message refused with the reason and the place in the mapping: %s',
		async (_what, text, payload, expected) => {
			expect(await refusal(map(text, payload))).toMatch(expected);
		},
	);

	it.each<[string, string]>([
		['an endless loop', '($f := function($x){$f($x + 1)}; $f(1))'],
		['endless recursion', '($f := function($x){1 + $f($x)}; $f(1))'],
		['an endless array', '[1..9999999].{"value": $}'],
		['endless memory', '($f := function($x){$f($x & $x)}; $f("aaaaaaaaaaaaaaaa"))'],
		['a runaway regular expression', '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)'],
	])('does not keep the next message from being mapped: %s', async (_what, runaway) => {
		const decoder = mapping(`bad ? ${runaway} : {"metric": "co2", "value": n}`, 1500);
		const [first, second] = [decoder.decode(message('t', { bad: true })), decoder.decode(message('t', { n: 7 }))];
		expect(await refusal(first)).toMatch(/^not_decoded: /);
		expect(candidatesIn(await second)).toEqual([{ metric: 'co2', value: 7 }]);
	});
});

describe('mappingMistake', () => {
	it('finds the mistake for which a mapping does not parse', () => {
		expect(mappingMistake('{"a": b}')).toBeUndefined();
		expect(mappingMistake('{"value": n +}')).toEqual({ position: 13, message: expect.stringContaining('"}"') });
		expect(mappingMistake('a[')).toMatchObject({ message: expect.any(String) });
		fc.assert(
			fc.property(fc.string(), (text) => {
				const mistake = mappingMistake(text);
				if (mistake) expect(mistake.position).toBeLessThanOrEqual(text.length);
			}),
		);
	});
});

describe('JsonataDecoder', () => {
	it('maps the messages that are under way when it is closed, and leaves no thread behind', async () => {
		const decoder = mapping('{"metric": "co2", "value": $}');
		const underWay = decoder.decode(message('t', 1));
		const [, mapped] = await Promise.all([decoder.close(), underWay]);
		expect(candidatesIn(mapped)).toMatchObject([{ value: 1 }]);
		expect(candidatesIn(await decoder.decode(message('t', 2)))).toMatchObject([{ value: 2 }]);
		await decoder.close();
	});

	it('maps messages one at a time, in the order in which they arrive', async () => {
		const decoder = mapping('{"metric": "co2", "value": $}');
		await fc.assert(
			fc.asyncProperty(fc.array(fc.integer(), { minLength: 1, maxLength: 20 }), async (numbers) => {
				const decoded = await Promise.all(numbers.map((number) => decoder.decode(message('t', number))));
				expect(decoded.map((one) => candidatesIn(one)[0]!.value)).toEqual(numbers);
			}),
			{ numRuns: 20 },
		);
	});
});
