import { describe, expect, it } from 'vitest';
import { itemsOf, type Layout, layoutOf } from './items.ts';

const items = (text: string, layout: Layout) => itemsOf(Buffer.from(text), layout)?.map(String);

describe('the readings of a message', () => {
	it.each<[Layout, string, string[]]>([
		['one', '{"a":1}', ['{"a":1}']],
		['one', ' \r\n{"a":1}\t\n', ['{"a":1}']],
		['list', '[{"a":1},{"b":2}]', ['{"a":1}', '{"b":2}']],
		['list', ' [ {"a":1} ,\n\t{ "b" : "}," } ] \n', ['{"a":1}', '{ "b" : "}," }']],
		['lines', '{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']],
		['lines', '\n{"a":1} \r\n\n \t\n{"b":2}\r\n', ['{"a":1}', '{"b":2}']],
	])('in the layout %s, %j, are found without the space around them', (layout, text, expected) => {
		expect(items(text, layout)).toEqual(expected);
	});

	it.each<[Layout, string]>([
		['one', ''],
		['one', '5'],
		['one', '{"a":1}{"b":2}'],
		['one', '{"a":1},'],
		['one', '{"a":{"b":1}}'],
		['one', '{"a":[1]}'],
		['one', '{"a":"\\""}'],
		['one', '{"a":1'],
		['list', '[]'],
		['list', '[1]'],
		['list', '[{"a":1},]'],
		['list', '[{"a":1}'],
		['list', '[{"a":1}{"b":2}]'],
		['list', '[{"a":1}] x'],
		['list', '[[{"a":1}]]'],
		['list', '{"a":1}'],
		['lines', ''],
		['lines', '{"a":1} {"b":2}'],
		['lines', '{"a":1},\n{"b":2}'],
		['lines', '[{"a":1}]'],
		['lines', '{"a":1}\n5'],
		['lines', '{"a":1}\n\u00a0\n'],
	])('in the layout %s are left to the long way in %j', (layout, text) => {
		expect(items(text, layout)).toBeUndefined();
	});

	it('are laid out as the first byte of a JSON payload says', () => {
		expect(['{', ' [', '\n{', '5', '"x"', '', '\ufeff{'].map((text) => layoutOf(Buffer.from(text)))).toEqual([
			'one',
			'list',
			'one',
			undefined,
			undefined,
			undefined,
			undefined,
		]);
	});
});
