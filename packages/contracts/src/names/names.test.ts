import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	newDeviceRequest,
	newDomainRequest,
	newSubdomainRequest,
	registerRequest,
	ssoRequest,
} from '../account/auth-requests.ts';
import { newSensorRequest, roomChange } from '../api/requests.ts';
import { buildingProblems } from '../building/building.ts';
import { thresholdsProblems } from '../building/thresholds.ts';
import { CustomMetric } from '../reading/metric-catalog.ts';
import { validator } from '../validator.ts';
import { duplicateKeys } from './duplicate-keys.ts';
import { idProblem, NAME } from './names.ts';

const COMPOSED = 'K\u00fcche';
const DECOMPOSED = 'Ku\u0308che';
const BLANKS = [' ', '\t', '\u00a0', '\u2003', '\u200b', '\u2800', '\u3164', '\ufeff', ' \u200b ', '\u00ad'];

const dimensions = { width: 1, height: 1, depth: 1 };
const room = (more: object = {}) => ({
	...{ id: 'hall', capacity: 1, position: { x: 0, y: 0, z: 0 }, dimensions },
	...more,
});
const building = (more: object = {}) => ({ id: 'b', rooms: [room()], ...more });
const first = (problems: { path: string; message: string }[]) => problems[0]?.path;

/** Every document with a name that people choose: what is wrong with it, by the name. */
const NAMED: [what: string, problems: (name: string) => { path: string; message: string }[], path: string][] = [
	['the name of a building', (name) => buildingProblems(building({ name })), '/name'],
	['the name of a room', (name) => buildingProblems(building({ rooms: [room({ name })] })), '/rooms/0/name'],
	['the floor of a room', (floor) => buildingProblems(building({ rooms: [room({ floor })] })), '/rooms/0/floor'],
	['a domain of a building', (domain) => buildingProblems(building({ domains: [domain] })), '/domains/0'],
	['the new name of a room', (name) => roomChange.problems({ name }), '/name'],
	['an account', (name) => registerRequest.problems({ email: 'a@b', password: 'long enough', name }), '/name'],
	['a device token', (name) => newDeviceRequest.problems({ name }), '/name'],
	['the client id of SSO', (clientId) => ssoRequest.problems({ issuer: 'https://id.example', clientId }), '/clientId'],
	[
		'the client secret of SSO',
		(clientSecret) => ssoRequest.problems({ issuer: 'https://id.example', clientId: 'a', clientSecret }),
		'/clientSecret',
	],
	[
		'a metric by configuration',
		(en) => validator(CustomMetric).problems({ key: 'a', unit: '', min: 0, max: 1, name: { en } }),
		'/name/en',
	],
	[
		'the unit of a metric by configuration',
		(unit) => validator(CustomMetric).problems({ key: 'a', unit, min: 0, max: 1 }),
		'/unit',
	],
];

/** Every document with an id that people choose. */
const IDENTIFIED: [what: string, problems: (id: string) => { path: string; message: string }[], path: string][] = [
	['a building', (id) => buildingProblems(building({ id })), '/id'],
	['a room', (id) => buildingProblems(building({ rooms: [room({ id })] })), '/rooms/0/id'],
	['a sensor of a device token', (id) => newDeviceRequest.problems({ name: 'a', sensorIds: [id] }), '/sensorIds/0'],
	['a registered sensor', (sensorId) => newSensorRequest.problems({ sensorId, roomId: 'hall' }), '/sensorId'],
	['a domain', (name) => newDomainRequest.problems({ name }), '/name'],
	['a subdomain', (name) => newSubdomainRequest.problems({ name }), '/name'],
	['a metric by configuration', (key) => validator(CustomMetric).problems({ key, unit: '', min: 0, max: 1 }), '/key'],
	[
		'a room of thresholds',
		(id) =>
			thresholdsProblems(
				{ building: {}, rooms: { [id]: {} } },
				new Map([
					['hall', {}],
					[COMPOSED, {}],
				]),
			),
		'/rooms/*',
	],
];

/** Every document that names what exists: an earlier version may have taken decomposed letters. */
const REFERRING: typeof IDENTIFIED = [
	[
		'the building of a device token',
		(buildingId) => newDeviceRequest.problems({ name: 'a', buildingId }),
		'/buildingId',
	],
	['the room of a registered sensor', (roomId) => newSensorRequest.problems({ sensorId: 'a', roomId }), '/roomId'],
];

describe('P14 names', () => {
	it.each(NAMED)('refuses %s that shows nothing, with its place', (_, problems, path) => {
		for (const blank of BLANKS) expect([blank, first(problems(blank))]).toEqual([blank, path]);
		expect(problems('A\u0000').map((problem) => problem.path)).toContain(path);
	});

	it.each(IDENTIFIED)('refuses a blank or look-alike id of %s, with its place', (_, problems, path) => {
		for (const id of [...BLANKS, DECOMPOSED, ' hall', 'hall ', 'ha\u200bll', 'hall\u202e', '']) {
			const found = problems(id);
			expect([id, found.length > 0]).toEqual([id, true]);
			if (!path.endsWith('*')) expect([id, first(found)]).toEqual([id, path]);
			for (const { message } of found) expect(message).toMatch(/^(must|is|should) /);
		}
	});

	it.each(REFERRING)('refuses a blank id as %s, with its place', (_, problems, path) => {
		for (const id of [...BLANKS, ' hall', 'hall ', 'ha\u200bll', ''])
			expect([id, first(problems(id))]).toEqual([id, path]);
		expect(problems(DECOMPOSED)).toEqual([]);
	});

	it.each([COMPOSED, '客厅', 'Зал 1', 'قاعة', 'Room 1', 'κουζίνα', '🏢', 'Ⅳ', 'ＡＢ'])(
		'takes the id and name %s',
		(id) => {
			expect(idProblem(id.normalize('NFC'))).toBeUndefined();
			expect(buildingProblems(building({ id, name: id, rooms: [room({ id, name: DECOMPOSED })] }))).toEqual([]);
		},
	);

	it('costs no more than its length to refuse, however long the name is', () => {
		const name = new RegExp(NAME, 'u');
		const long = 1_000_000;
		for (const text of [' '.repeat(long), `${'a'.repeat(long)}\u0000`, `${' a'.repeat(long)}\n`])
			expect(name.test(text)).toBe(false);
		expect(name.test(`${' '.repeat(long)}a`)).toBe(true);
	});

	it('says which spelling to use', () => {
		expect(idProblem(DECOMPOSED)).toBe(`must be written with composed letters (Unicode NFC): "${COMPOSED}", 5 long`);
		expect(idProblem('a\u200bb')).toBe('must not hold the invisible character U+200B');
	});
});

describe('P14 keys given twice', () => {
	it.each([
		['{"a":1,"a":2}', [['/a', 'is given twice in line 1']]],
		['{"a":{"b":1,\n"c":2,\n"b":3}}', [['/a/b', 'is given twice: in line 1 and in line 3']]],
		['[{},{"x/y":1,"x\\/y":2}]', [['/1/x~1y', 'is given twice in line 1']]],
		['{"a":1,"\\u0061":2}', [['/a', 'is given twice in line 1']]],
		[`{"${COMPOSED}":1,"${DECOMPOSED}":2}`, [[`/${DECOMPOSED}`, 'is given twice in line 1']]],
		['{"rooms":[{"id":"a"},{"id":"b","id":"c"}]}', [['/rooms/1/id', 'is given twice in line 1']]],
		['{"a":"{\\"a\\":1,\\"a\\":2}","b":["a","a"]}', []],
		['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', []],
		['{"a":1,"a', []],
		['', []],
	] as const)('of %s are found with path and line', (json, expected) => {
		expect(duplicateKeys(json).map(({ path, message }) => [path, message])).toEqual(expected);
	});

	it('are none in what JSON.stringify writes, and are found wherever one is added', () => {
		fc.assert(
			fc.property(fc.object({ maxDepth: 3 }), fc.string(), (value, key) => {
				expect(duplicateKeys(JSON.stringify(spelledOnce(value), null, 1))).toEqual([]);
				const name = JSON.stringify(key);
				expect(duplicateKeys(`{"outer":[{${name}:1,${name}:${JSON.stringify(spelledOnce(value))}}]}`)).toHaveLength(1);
			}),
		);
	});
});

/** Without keys that differ in spelling alone. */
function spelledOnce(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(spelledOnce);
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).map(([key, inner]) => [key.normalize('NFC'), spelledOnce(inner)] as const),
	);
}
