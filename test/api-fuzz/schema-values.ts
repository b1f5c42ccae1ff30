/** Makes values for a JSON Schema, as those of the OpenAPI document. */
import fc from 'fast-check';

/** The part of JSON Schema that the document uses. */
export interface Schema {
	$ref?: string;
	type?: string;
	const?: unknown;
	enum?: unknown[];
	anyOf?: Schema[];
	allOf?: Schema[];
	properties?: Record<string, Schema>;
	required?: string[];
	patternProperties?: Record<string, Schema>;
	additionalProperties?: Schema | boolean;
	minProperties?: number;
	items?: Schema;
	minItems?: number;
	maxItems?: number;
	uniqueItems?: boolean;
	pattern?: string;
	minLength?: number;
	maxLength?: number;
	minimum?: number;
	maximum?: number;
	exclusiveMinimum?: number;
}

/** Values that exist, by the name of the field or parameter that holds them; whole bodies by the operation's id. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

const MOST_ITEMS = 4;
const MOST_CHARACTERS = 200;

/** Values that the schema allows; a field whose name is in `known` mostly has one of these. */
export function allowedBy(schema: Schema, known: Known, name = ''): fc.Arbitrary<unknown> {
	const own = plainAllowedBy(schema, known);
	const values = known[name];
	if (!values?.length) return own;
	return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: own });
}

function plainAllowedBy(schema: Schema, known: Known): fc.Arbitrary<unknown> {
	if ('const' in schema) return fc.constant(schema.const);
	if (schema.enum) return fc.constantFrom(...schema.enum);
	if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => plainAllowedBy(one, known)));
	switch (schema.type) {
		case 'object':
			return objectOf(schema, known);
		case 'array':
			return arrayOf(schema, known);
		case 'string':
			return textOf(schema);
		case 'integer':
			return fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 1000, 2 ** 31 - 1) });
		case 'number':
			return numberOf(schema);
		case 'boolean':
			return fc.boolean();
		case 'null':
			return fc.constant(null);
		default:
			return fc.jsonValue();
	}
}

function objectOf(schema: Schema, known: Known): fc.Arbitrary<unknown> {
	const { properties = {}, required = [], patternProperties, minProperties = 0 } = schema;
	const fields = Object.fromEntries(
		Object.entries(properties).map(([name, one]) => [name, allowedBy(one, known, name)]),
	);
	const own = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
	const [more] = Object.values(patternProperties ?? {});
	if (more) return fc.dictionary(fc.string({ maxLength: 12 }), allowedBy(more, known), { maxKeys: 3 });
	if (minProperties === 0) return own;
	return fc.record(fields, { requiredKeys: Object.keys(fields).slice(0, minProperties) });
}

function arrayOf({ items = {}, minItems = 0, maxItems = MOST_ITEMS, uniqueItems }: Schema, known: Known) {
	const bounds = { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, MOST_ITEMS)) };
	const item = allowedBy(items, known);
	if (!uniqueItems) return fc.array(item, bounds);
	return fc.uniqueArray(item, { ...bounds, selector: (value) => JSON.stringify(value) });
}

function textOf({ pattern, minLength = 0, maxLength = MOST_CHARACTERS }: Schema): fc.Arbitrary<string> {
	const most = Math.min(maxLength, MOST_CHARACTERS);
	if (pattern !== undefined)
		return fc
			.stringMatching(new RegExp(pattern, 'u'))
			.filter((text) => text.length >= minLength && text.length <= maxLength);
	return fc.oneof(
		fc.string({ minLength, maxLength: most }),
		fc.string({ minLength, maxLength: most, unit: 'binary' }).filter((text) => text.length <= maxLength),
	);
}

function numberOf({ minimum, exclusiveMinimum, maximum }: Schema): fc.Arbitrary<number> {
	const min = minimum ?? exclusiveMinimum ?? -1e6;
	const bounds = { min, max: maximum ?? Math.max(1e6, min), noNaN: true };
	return fc.oneof(
		fc.double({ ...bounds, minExcluded: exclusiveMinimum !== undefined }),
		fc.integer({
			min: Math.ceil(exclusiveMinimum === undefined ? bounds.min : bounds.min + 1),
			max: Math.floor(bounds.max),
		}),
	);
}

/** Texts that programs stumble over. */
export const HOSTILE_TEXTS: readonly string[] = [
	'',
	' ',
	'.',
	'..',
	'/',
	'\\',
	'%',
	'%00',
	'\u0000',
	'\u007f',
	'\ud800',
	'__proto__',
	'constructor',
	'toString',
	'null',
	'undefined',
	'NaN',
	'-1',
	'0',
	'1e999',
	'9'.repeat(400),
	'a'.repeat(5000),
	'../../etc/passwd',
	"'; DROP TABLE x;--",
	'{"$gt":""}',
	'[object Object]',
	'\u202e',
	'é',
	'e\u0301',
	'💥',
	'+',
	'#',
	'$where',
	'https://[',
	'true',
	'a,b',
	'a b',
	'\r\n',
];

const DEPTH = 3000;
const deep: unknown = JSON.parse('['.repeat(DEPTH) + ']'.repeat(DEPTH));

/** Bodies that parsers stumble over. */
export const HOSTILE_BODIES: readonly string[] = [
	'',
	' ',
	'null',
	'0',
	'""',
	'[]',
	'{',
	'{}{}',
	'\ufeff{}',
	'{"a":1,}',
	'{"__proto__":{"name":"x"},"constructor":{"prototype":{}}}',
	'{"name":"a","name":"b"}',
	'{"a":1e999}',
	'[1,'.repeat(5000),
	'['.repeat(60_000) + ']'.repeat(60_000),
	`{"a":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`,
	`"${'x'.repeat(70_000)}"`,
];

const hostile = fc.oneof(
	fc.constantFrom<unknown>(...HOSTILE_TEXTS),
	fc.constantFrom<unknown>(
		null,
		true,
		-1,
		0.5,
		1e308,
		-0,
		2 ** 53,
		[],
		{},
		[[]],
		{ a: { b: {} } },
		'1',
		{ length: 1 },
		deep,
	),
	fc.jsonValue({ maxDepth: 2 }),
);

/**
 * Values that the schema mostly does not allow: another value, or a valid one with a field too many, too few, or wrong.
 */
export function spoiledFor(schema: Schema, known: Known): fc.Arbitrary<unknown> {
	const spoiled = fc.tuple(allowedBy(schema, known), hostile, fc.nat(), fc.integer({ min: 0, max: 3 })).map(spoil);
	return fc.oneof({ weight: 3, arbitrary: spoiled }, { weight: 1, arbitrary: hostile });
}

function spoil([value, bad, place, kind]: [unknown, unknown, number, number]): unknown {
	if (Array.isArray(value)) return kind === 0 ? [...value, bad] : value.map((item) => spoil([item, bad, place, kind]));
	if (typeof value !== 'object' || value === null) return bad;
	const entries = Object.entries(value);
	const chosen = entries.length === 0 ? -1 : place % entries.length;
	if (kind === 0 || chosen < 0) return { ...value, [typeof bad === 'string' ? bad : 'extra']: bad };
	if (kind === 1) return Object.fromEntries(entries.filter((_entry, index) => index !== chosen));
	return Object.fromEntries(
		entries.map(([name, inner], index) => [
			name,
			index !== chosen ? inner : kind === 2 ? bad : spoil([inner, bad, place >> 3, 2]),
		]),
	);
}
