import { CrowdVisionError } from '@crowdvision/contracts';
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
function mapping(text: string, patienceMs?: number): JsonataDecoder {
	const decoder = new JsonataDecoder(text, patienceMs);
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

describe('a mapping', () => {
	it('of the specification: one reading', async () => {
		const text = '{"sensorId": id, "metric": "peopleCount", "value": n}';
		expect(candidatesIn(await map(text, { id: 'door-7', n: 23 }))).toEqual([
			{ sensorId: 'door-7', metric: 'peopleCount', value: 23 },
		]);
	});

	it('may give an array, the short form, or what the topic says', async () => {
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
	])('may have nothing to say: %s', async (text) => {
		expect(await map(text, { kind: 'status', sensors: [] })).toBe('nothing_mapped');
	});

	it('gives no functions and no prototype away', async () => {
		expect(
			candidatesIn(await map('{"metric": "co2", "value": 1, "f": function($x){$x}, "__proto__": {"polluted": 1}}', {})),
		).toMatchObject([{ metric: 'co2', value: 1 }]);
		expect(({} as { polluted?: number }).polluted).toBeUndefined();
	});
});

describe('what goes wrong is refused, with the place in the mapping', () => {
	it.each<[string, string, unknown, RegExp]>([
		[
			'a sum of a text',
			'{"value":\n  n + 1}',
			{ n: 'x' },
			/^not_decoded: the payload made the mapping fail at line 2, column \d: The left side of the "\+" operator must evaluate to a number$/,
		],
		[
			'a function that is none',
			'$nope(1)',
			{},
			/^not_decoded: the payload made the mapping fail at line 1, column \d: Attempted to invoke a non-function$/,
		],
		['an error of its own', '$error("no serial number")', {}, /^not_decoded: .*no serial number$/],
		['a result that is no reading', '"text"', {}, /^invalid_reading: the payload must be a reading/],
		['no JSON', 'a', '{', /^not_json: /],
		['no UTF-8', 'a', Buffer.from([0x22, 0xff, 0x22]), /^not_json: /],
	])('%s', async (_what, text, payload, expected) => {
		expect(await refusal(map(text, payload))).toMatch(expected);
	});

	it.each<[string, string]>([
		['a loop without end', '($f := function($x){$f($x + 1)}; $f(1))'],
		['recursion without end', '($f := function($x){1 + $f($x)}; $f(1))'],
		['an array without end', '[1..9999999].{"value": $}'],
		['memory without end', '($f := function($x){$f($x & $x)}; $f("aaaaaaaaaaaaaaaa"))'],
		['a regular expression that runs away', '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)'],
	])('%s, and the next message is mapped all the same', async (_what, runaway) => {
		const decoder = mapping(`bad ? ${runaway} : {"metric": "co2", "value": n}`, 1500);
		const [first, second] = [decoder.decode(message('t', { bad: true })), decoder.decode(message('t', { n: 7 }))];
		expect(await refusal(first)).toMatch(/^not_decoded: /);
		expect(candidatesIn(await second)).toEqual([{ metric: 'co2', value: 7 }]);
	});

	it('in a text that is no mapping is found before it is used', () => {
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

	it('when it is not in use any more does not cost the messages that are under way, and leaves no thread behind', async () => {
		const decoder = mapping('{"metric": "co2", "value": $}');
		const underWay = decoder.decode(message('t', 1));
		const [, mapped] = await Promise.all([decoder.close(), underWay]);
		expect(candidatesIn(mapped)).toMatchObject([{ value: 1 }]);
		expect(candidatesIn(await decoder.decode(message('t', 2)))).toMatchObject([{ value: 2 }]);
		await decoder.close();
	});
});

it('takes any JSON, one after the other in the order they came', async () => {
	const decoder = mapping('{"metric": "co2", "value": $}');
	await fc.assert(
		fc.asyncProperty(fc.array(fc.integer(), { minLength: 1, maxLength: 20 }), async (numbers) => {
			const decoded = await Promise.all(numbers.map((number) => decoder.decode(message('t', number))));
			expect(decoded.map((one) => candidatesIn(one)[0]!.value)).toEqual(numbers);
		}),
		{ numRuns: 20 },
	);
});
