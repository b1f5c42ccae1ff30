import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTimeZone } from '../reading/local-time.ts';
import { type Building, buildingProblems } from './building.ts';
import { limitsIn, type Thresholds, thresholdsProblems } from './thresholds.ts';

const room = (id: string) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 5, height: 3, depth: 5 },
});
const valid = (rooms = ['hall', 'attic']): Building => ({
	id: 'museum',
	name: 'Museum',
	timeZone: 'Europe/Rome',
	rooms: rooms.map(room),
});
const paths = (value: unknown) => buildingProblems(value).map(({ path }) => path);

/** A place (`*` is any room) and the value put there; undefined removes it. */
const MISTAKES: [where: string, what: unknown][] = [
	['/id', undefined],
	['/id', 'a/b'],
	['/name', ''],
	['/timeZone', 'Mars/Olympus'],
	['/timeZone', '+01:00'],
	['/domains', 'museum'],
	['/colour', 'red'],
	['/rooms', []],
	['/rooms/*/capacity', -1],
	['/rooms/*/capacity', undefined],
	['/rooms/*/position/y', Number.NaN],
	['/rooms/*/position/w', 0],
	['/rooms/*/dimensions/width', 0],
	['/rooms/*/dimensions', undefined],
	['/rooms/*/color', 'red'],
	['/rooms/*/maxTemprature', 28],
];

/** A copy of a document with another value at a place. */
function having(document: unknown, [key, ...below]: string[], what: unknown): unknown {
	if (key === undefined) return what;
	const copy = (Array.isArray(document) ? [...document] : { ...(document as object) }) as Record<string, unknown>;
	const value = having(copy[key], below, what);
	if (value === undefined) delete copy[key];
	else copy[key] = value;
	return copy;
}

const at = (path: string) => path.split('/').slice(1);

describe('a building JSON', () => {
	const rooms = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), { minLength: 1, maxLength: 8 });

	it('is accepted when it is valid', () => {
		fc.assert(fc.property(rooms, (ids) => paths(valid(ids)).length === 0));
	});

	it('is refused with the path of any mistake in any room', () => {
		fc.assert(
			fc.property(rooms, fc.nat(), fc.constantFrom(...MISTAKES), (ids, seed, [where, what]) => {
				const path = where.replace('*', String(seed % ids.length));
				expect(paths(having(valid(ids), at(path), what))).toContain(path);
			}),
		);
	});

	it('is refused with the paths of all its mistakes', () => {
		let building: unknown = valid();
		building = having(building, at('/rooms/0/capacity'), -1);
		building = having(building, at('/rooms/1/color'), 'red');
		building = having(building, at('/extra'), true);
		expect(paths(building).toSorted()).toEqual(['/extra', '/rooms/0/capacity', '/rooms/1/color']);
	});

	it('is refused if room ids are not unique', () => {
		expect(paths(valid(['hall', 'attic', 'hall']))).toEqual(['/rooms/2/id']);
	});

	it('never makes the check throw, whatever it is', () => {
		fc.assert(fc.property(fc.jsonValue(), (value) => paths(value).length > 0));
	});

	it('may only name a time zone that the runtime knows', () => {
		for (const name of ['Europe/Rome', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'])
			expect(isTimeZone(name)).toBe(true);
		for (const name of ['', 'Rome', 'Europe/Atlantis', '+05:45', 'constructor']) expect(isTimeZone(name)).toBe(false);
	});
});

describe('thresholds', () => {
	const ROOMS = new Map([
		['hall', { capacity: 10 }],
		['attic', {}],
		['constructor', {}],
	]);
	const wrong = (value: unknown) => thresholdsProblems(value, ROOMS).map(({ path }) => path);

	it.each([
		[{ building: {}, rooms: {} }, []],
		[{ building: { co2: { max: 1000 } }, rooms: { hall: { temperature: { min: 18, max: 26 } } } }, []],
		[{ building: { co2: { max: 1e9 } }, rooms: {} }, ['/building/co2/max']],
		[{ building: { radon: { max: 1 } }, rooms: {} }, ['/building/radon']],
		[{ building: { co2: { maximum: 1 } }, rooms: {} }, ['/building/co2/maximum']],
		[{ building: { co2: { min: 5, max: 5 } }, rooms: {} }, ['/building/co2/min']],
		[{ building: {}, rooms: { attic: { noise: { min: 80, max: 40 } } } }, ['/rooms/attic/noise/min']],
		[{ building: {}, rooms: { cellar: {}, 'x~y': {} } }, ['/rooms/cellar', '/rooms/x~0y']],
		[{ building: {} }, ['/rooms']],
		[{ building: { co2: { risePerMinute: 50 }, occupancy: { severity: 'info', dwellSeconds: 5 } }, rooms: {} }, []],
		[[], ['']],
	])('in %j have mistakes at %j', (value, expected) => {
		expect(wrong(value)).toEqual(expect.arrayContaining(expected));
		if (expected.length === 0) expect(wrong(value)).toEqual([]);
	});

	const messages = (set: object) =>
		thresholdsProblems({ building: {}, rooms: { hall: set } }, ROOMS).map(({ path, message }) => `${path} ${message}`);
	const at = '/rooms/hall';
	const temperature = `${at}/temperature`;

	describe('A2 limits', () => {
		it.each([
			[{}, `${temperature} must not have fewer than 1 properties`],
			[{ severity: 'info' }, `${temperature} must have at least one of max, min, risePerMinute`],
			[{ max: 20, criticalMax: 20 }, `${temperature}/criticalMax must be above max, which is 20`],
			[{ max: 20, clearMax: 20.5 }, `${temperature}/clearMax must not be above max, which is 20`],
			[{ min: 10, clearMin: 9 }, `${temperature}/clearMin must not be below min, which is 10`],
			[{ min: 10, criticalMin: 11 }, `${temperature}/criticalMin must be below min, which is 10`],
			[{ min: 10, max: 20, clearMax: 9 }, `${temperature}/clearMax must not be below min, which is 10`],
			[{ min: 10, max: 20, clearMin: 21 }, `${temperature}/clearMin must not be above max, which is 20`],
			[{ min: 10, clearMax: 12 }, `${temperature}/clearMax needs max, which is not there`],
			[{ risePerMinute: 1, criticalMin: 3 }, `${temperature}/criticalMin needs min, which is not there`],
			[{ max: 20, criticalMax: 126 }, `${temperature}/criticalMax must be <= 125`],
			[{ risePerMinute: 0 }, `${temperature}/risePerMinute must be > 0`],
			[{ risePerMinute: 186 }, `${temperature}/risePerMinute must be <= 185`],
		])('say what is wrong with %j', (limit, message) => {
			expect(messages({ temperature: limit })).toContain(message);
		});

		it('take every level in its place, and a clear level at its limit', () => {
			const limit = { criticalMin: 5, min: 10, clearMin: 10, clearMax: 20, max: 20, criticalMax: 30 };
			expect(messages({ temperature: { ...limit, risePerMinute: 2, severity: 'info', dwellSeconds: 60 } })).toEqual([]);
		});

		it('of the capacity end an alert at no more people than there may be', () => {
			expect(messages({ occupancy: { clearMax: 10 } })).toEqual([]);
			expect(messages({ occupancy: { clearMax: 11 } })).toEqual([
				`${at}/occupancy/clearMax must be at most the capacity of the room, which is 10`,
			]);
			expect(messages({ occupancy: { clearMax: 0.5 } })).toEqual([`${at}/occupancy/clearMax must be integer`]);
			expect(messages({ occupancy: { max: 5 } })).toEqual([
				`${at}/occupancy/max is not known here; known are severity, dwellSeconds, clearMax`,
			]);
		});
	});

	it("of a room replace the building's and are not merged with them", () => {
		const set: Thresholds = {
			building: { co2: { max: 1000 }, noise: { max: 80 } },
			rooms: { hall: { noise: { max: 60 } } },
		};
		expect(limitsIn(set, { id: 'hall' })).toEqual({ noise: { max: 60 } });
		expect(limitsIn(set, { id: 'attic' })).toEqual(set.building);
		expect(limitsIn(set, { id: 'constructor' })).toEqual(set.building);
		expect(limitsIn(set, { id: 'hall', maxTemperature: 28 })).toEqual({ noise: { max: 60 }, temperature: { max: 28 } });
	});
});
