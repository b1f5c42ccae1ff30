import { type BuildingState, FRESHNESS_MS, type LatestValue, type Reading } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyDevice, applyReadings, applySnapshot, combine, emptySamples } from './samples.ts';

const NOW = 1_764_000_000_000;
let count = 0;

function reading(over: Partial<Reading> = {}): Reading {
	count += 1;
	return {
		id: `r${count}`,
		sensorId: 's1',
		metric: 'temperature',
		value: 20,
		unit: 'degC',
		buildingId: 'b',
		roomId: 'hall',
		observedAt: NOW,
		receivedAt: Math.max(NOW, over.observedAt ?? NOW),
		gatewayId: 'g',
		transport: 'mqtt',
		timeQuality: 'synced',
		...over,
	};
}

function snapshot(latest: Partial<LatestValue> = {}): BuildingState {
	return {
		cursor: '1',
		rooms: {
			hall: {
				values: {
					temperature: {
						value: 20,
						unit: 'degC',
						observedAt: NOW,
						sensorId: 's1',
						freshness: 'live',
						freshUntil: NOW + FRESHNESS_MS,
						stale: false,
						...latest,
					},
				},
			},
		},
	};
}

describe('the latest values of a building', () => {
	it('are the last readings of each sensor when they are applied in order', () => {
		const samples = emptySamples(['hall']);
		applyReadings(
			samples,
			[1, 2, 3].map((value) => reading({ value, observedAt: NOW + value })),
		);
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(3);
	});

	it('hold the later of two readings of the same moment', () => {
		const samples = emptySamples(['hall']);
		applyReadings(samples, [reading({ value: 1 }), reading({ value: 2 })]);
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(2);
	});

	it('do not go back to a reading that was observed earlier and arrives late', () => {
		const samples = emptySamples(['hall']);
		applyReadings(samples, [reading({ value: 2 })]);
		expect(applyReadings(samples, [reading({ value: 1, observedAt: NOW - 1 })])).toEqual(new Set());
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(2);
	});

	it('have the bounds of a count made by doors, from a snapshot and from a reading, as long as it is sent', () => {
		const samples = emptySamples(['hall']);
		const people = (over: Partial<Reading>) => reading({ metric: 'peopleCount', unit: 'person', ...over });
		const count = () => combine('peopleCount', samples.get('hall')?.peopleCount, NOW);
		const { temperature } = snapshot({ value: 9, low: 7, high: 12 }).rooms.hall!.values;
		applySnapshot(samples, { cursor: '1', rooms: { hall: { values: { peopleCount: temperature! } } } });
		expect(count()).toMatchObject({ value: 9, low: 7, high: 12 });
		applyReadings(samples, [people({ value: 10, interval: { low: 8, high: 13 }, observedAt: NOW + 1 })]);
		expect(count()).toMatchObject({ value: 10, low: 8, high: 13 });
		applyReadings(samples, [people({ value: 11, observedAt: NOW + 2 })]);
		expect(count()).not.toHaveProperty('low');
	});

	it('report only the rooms that changed, and keep the objects of all others', () => {
		const samples = emptySamples(['hall', 'lab']);
		applyReadings(samples, [reading({ roomId: 'lab' })]);
		const lab = samples.get('lab');
		expect(applyReadings(samples, [reading(), reading({ roomId: 'elsewhere' })])).toEqual(new Set(['hall']));
		expect(samples.get('lab')).toBe(lab);
		expect([...samples.keys()]).toEqual(['hall', 'lab']);
	});

	it('keep the order of the rooms whatever arrives', () => {
		fc.assert(
			fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), (roomIds) => {
				const samples = emptySamples(['c', 'a', 'd', 'b']);
				applyReadings(
					samples,
					roomIds.map((roomId) => reading({ roomId })),
				);
				expect([...samples.keys()]).toEqual(['c', 'a', 'd', 'b']);
			}),
		);
	});

	it('end the same when some of the readings are delivered again', () => {
		const readings = fc.array(
			fc.record({
				sensorId: fc.constantFrom('s1', 's2'),
				value: fc.integer({ min: -60, max: 125 }),
				observedAt: fc.integer({ min: NOW - 1000, max: NOW }),
			}),
			{ maxLength: 30 },
		);
		fc.assert(
			fc.property(readings, fc.nat(30), (parts, from) => {
				const all = parts.map((part, index) => reading({ ...part, observedAt: part.observedAt + index * 1000 }));
				const once = emptySamples(['hall']);
				const twice = emptySamples(['hall']);
				applyReadings(once, all);
				applyReadings(twice, all);
				applyReadings(twice, all.slice(from));
				for (const samples of [once, twice])
					expect(samples.get('hall')?.temperature === undefined).toBe(all.length === 0);
				const sorted = (samples: typeof once) =>
					[...(samples.get('hall')?.temperature?.sensors ?? [])].sort((a, b) => a.sensorId.localeCompare(b.sensorId));
				expect(sorted(twice)).toEqual(sorted(once));
			}),
		);
	});

	it('include every sensor of a snapshot', () => {
		const samples = emptySamples(['hall']);
		const sensors = [
			{ sensorId: 's1', value: 20, observedAt: NOW },
			{ sensorId: 's2', value: 24, observedAt: NOW - 1000 },
		];
		expect(applySnapshot(samples, snapshot({ value: 22, sensors }))).toEqual(new Set(['hall']));
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(22);
		applyReadings(samples, [reading({ sensorId: 's2', value: 26 })]);
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(23);
	});

	it('keep what was observed after a snapshot', () => {
		const samples = emptySamples(['hall']);
		applyReadings(samples, [reading({ value: 25, observedAt: NOW + 1000 })]);
		expect(applySnapshot(samples, snapshot())).toEqual(new Set());
		expect(combine('temperature', samples.get('hall')?.temperature, NOW)?.value).toBe(25);
	});

	it('leave a room that is not in the snapshot without data', () => {
		const samples = emptySamples(['hall', 'lab']);
		applySnapshot(samples, snapshot());
		expect(samples.get('lab')).toEqual({});
	});
});

describe('P13 right in meaning: the live values of a building', () => {
	const at = (samples: ReturnType<typeof emptySamples>, now: number) =>
		combine('temperature', samples.get('hall')?.temperature, now);

	it('are not outranked by a reading from ahead', () => {
		const samples = emptySamples(['hall']);
		applyReadings(samples, [
			reading({ value: 2, observedAt: NOW + 20 * 3600_000, receivedAt: NOW }),
			reading({ value: 25, observedAt: NOW + 1000 }),
		]);
		expect(at(samples, NOW + 1000)).toMatchObject({ value: 25, freshness: 'live' });
		expect(at(samples, NOW + 2000 + FRESHNESS_MS)).toMatchObject({ value: 25, freshness: 'stale' });
	});

	it.each([6, 10, 60])(
		'are live between readings every %s minutes, from the reading and from the snapshot alike',
		(every) => {
			const freshFor = every * 150_000;
			const read = emptySamples(['hall']);
			applyReadings(read, [reading({ freshFor })]);
			const loaded = emptySamples(['hall']);
			applySnapshot(loaded, snapshot({ freshFor }));
			for (const samples of [read, loaded]) {
				expect(at(samples, NOW + every * 60_000)?.freshness).toBe('live');
				expect(at(samples, NOW + freshFor)?.freshness).toBe('live');
				expect(at(samples, NOW + freshFor + 1)?.freshness).toBe('stale');
			}
		},
	);
});

describe('P8 the freshness of a live value', () => {
	const freshnessAt = (samples: ReturnType<typeof emptySamples>, now: number) =>
		combine('temperature', samples.get('hall')?.temperature, now)?.freshness;
	const HOUR = 3600_000;

	it('is the same for a snapshot as for the readings that follow it', () => {
		const samples = emptySamples(['hall']);
		applySnapshot(samples, snapshot({ unchangedSince: NOW - 13 * HOUR }));
		expect(freshnessAt(samples, NOW)).toBe('stuck');
		applyReadings(samples, [reading({ observedAt: NOW + 1 })]);
		expect(freshnessAt(samples, NOW + 1)).toBe('stuck');
		applyReadings(samples, [reading({ observedAt: NOW + 2, value: 20.1 })]);
		expect(freshnessAt(samples, NOW + 2)).toBe('live');
		expect(freshnessAt(samples, NOW + 2 + FRESHNESS_MS)).toBe('live');
		expect(freshnessAt(samples, NOW + 3 + FRESHNESS_MS)).toBe('stale');
	});

	it('is not stuck when a late reading shows that the value changed in between', () => {
		const samples = emptySamples(['hall']);
		applySnapshot(samples, snapshot({ unchangedSince: NOW - 13 * HOUR }));
		expect(applyReadings(samples, [reading({ observedAt: NOW - HOUR, value: 25 })])).toEqual(new Set(['hall']));
		expect(freshnessAt(samples, NOW)).toBe('live');
	});

	it('is offline from the moment its device goes offline until it comes back or sends again', () => {
		const samples = emptySamples(['hall', 'lab']);
		const deviceIs = (state: 'online' | 'offline', at: number) =>
			applyDevice(samples, { sensorId: 's1', state, at, gatewayId: 'g' });
		applyReadings(samples, [reading()]);
		expect(deviceIs('offline', NOW + 10)).toEqual(new Set(['hall']));
		expect(freshnessAt(samples, NOW + 10)).toBe('offline');
		expect(deviceIs('online', NOW + 5)).toEqual(new Set());
		deviceIs('online', NOW + 20);
		expect(freshnessAt(samples, NOW + 20)).toBe('live');
		deviceIs('offline', NOW + 30);
		applyReadings(samples, [reading({ observedAt: NOW + 29 })]);
		expect(freshnessAt(samples, NOW + 31)).toBe('offline');
		applyReadings(samples, [reading({ observedAt: NOW + 40 })]);
		expect(freshnessAt(samples, NOW + 40)).toBe('live');
	});

	it('is offline when a snapshot says so', () => {
		const samples = emptySamples(['hall']);
		applySnapshot(samples, snapshot({ observedAt: NOW - 10, offlineAt: NOW - 5 }));
		expect(freshnessAt(samples, NOW)).toBe('offline');
	});
});

describe('the value of a room with several sensors', () => {
	const of = (metric: Reading['metric'], values: [sensorId: string, value: number, ageMs: number][]) => {
		const samples = emptySamples(['hall']);
		applyReadings(
			samples,
			values.map(([sensorId, value, ageMs]) => reading({ metric, sensorId, value, observedAt: NOW - ageMs })),
		);
		return combine(metric, samples.get('hall')?.[metric], NOW);
	};

	it('follows the rule of the catalog: mean, max or last', () => {
		const values: [string, number, number][] = [
			['a', 10, 2000],
			['b', 30, 1000],
			['c', 20, 0],
		];
		expect(of('temperature', values)?.value).toBe(20);
		expect(of('co2', values)?.value).toBe(30);
		expect(of('peopleCount', values)?.value).toBe(20);
	});

	it('leaves out a silent sensor while another one is live', () => {
		const combined = of('temperature', [
			['dead', 50, FRESHNESS_MS + 1],
			['a', 20, 1000],
			['b', 22, 0],
		]);
		expect(combined).toMatchObject({ value: 21, freshness: 'live', observedAt: NOW });
		expect(combined?.live.map(({ sensorId }) => sensorId)).toEqual(['a', 'b']);
	});

	it('is stale when all sensors are silent', () => {
		const combined = of('peopleCount', [
			['a', 20, FRESHNESS_MS + 2000],
			['b', 30, FRESHNESS_MS + 1000],
		]);
		expect(combined).toMatchObject({ value: 30, freshness: 'stale', live: [] });
	});

	it('is absent, not 0, when nothing was received', () => {
		expect(combine('peopleCount', undefined, NOW)).toBeUndefined();
		expect(combine('peopleCount', { unit: 'person', sensors: [] }, NOW)).toBeUndefined();
	});

	it('is the most recent one for a metric this page does not know', () => {
		const sensors = [
			{ sensorId: 'a', value: 1, observedAt: NOW - 1 },
			{ sensorId: 'b', value: 2, observedAt: NOW },
		];
		expect(combine('radon', { unit: 'Bq/m3', sensors }, NOW)?.value).toBe(2);
		expect(combine('constructor', { unit: '', sensors }, NOW)?.value).toBe(2);
	});
});
