import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { MUSEUM } from '../testing/museum.ts';
import { parseHistoryQuery } from './history-query.ts';

const HOUR = 3600_000;
const NOW = Date.parse('2026-11-24T12:30:00Z');
const parse = (query: string) => {
	const parameters: Record<string, string | string[]> = {};
	for (const [name, value] of new URLSearchParams(query)) {
		const before = parameters[name];
		parameters[name] = before === undefined ? value : [before, value].flat();
	}
	return parseHistoryQuery(MUSEUM, parameters, NOW, BUILT_IN_METRICS);
};

describe('parseHistoryQuery', () => {
	it.each([
		['room=hall', '/metric'],
		['room=cellar&metric=co2', '/room'],
		['room=hall&metric=constructor', '/metric'],
		['room=hall&metric=co2&agg=median', '/agg'],
		['room=hall&metric=co2&from=yesterday', '/from'],
		['room=hall&metric=co2&from=2026-11-20&to=2026-11-19', '/from'],
		['room=hall&metric=co2&from=1990-01-01&bucket=1mo', '/from'],
		['room=hall&metric=co2&to=999999999999999', '/to'],
		['room=hall&metric=co2&bucket=0', '/bucket'],
		['room=hall&metric=co2&bucket=1y', '/bucket'],
		['room=hall&metric=co2&from=2026-01-01&bucket=1s', '/bucket'],
		['room=hall&metric=co2&metric=noise', '/metric'],
	])('refuses %s and names %s', (query, path) => {
		expect(() => parse(query)).toThrow(
			expect.objectContaining({ code: 'invalid', details: expect.objectContaining({ path }) }),
		);
	});

	it('defaults to the last 24 hours as hourly averages of the whole building', () => {
		const { buckets, ...query } = parse('metric=co2');
		expect(query).toEqual({
			buildingId: 'museum-1',
			roomIds: ['hall', 'attic'],
			metric: 'co2',
			from: NOW - 24 * HOUR,
			to: NOW,
			aggregate: 'avg',
		});
		expect(buckets).toHaveLength(25);
	});

	it('reads times as epoch ms and as ISO 8601', () => {
		const { from, to } = parse('metric=co2&bucket=1d&from=1764000000000&to=2026-11-20T10:00:00%2B01:00');
		expect([from, to]).toEqual([1_764_000_000_000, Date.parse('2026-11-20T09:00:00Z')]);
	});
});
