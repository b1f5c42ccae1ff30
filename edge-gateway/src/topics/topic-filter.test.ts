import { describe, expect, it } from 'vitest';
import { coversFilter, filterProblem, matchesFilter, overlapFilters } from './topic-filter.ts';

describe('topic filters (MQTT 3.1.1 section 4.7)', () => {
	it.each([
		['a/b', 'a/b', true],
		['a/+', 'a/b', true],
		['a/+', 'a/b/c', false],
		['+/+', '/finance', true],
		['+', '/finance', false],
		['a/#', 'a', true],
		['a/#', 'a/b/c', true],
		['a/#', 'ab', false],
		['#', 'a/b', true],
		['#', '$SYS/uptime', false],
		['+/uptime', '$SYS/uptime', false],
		['$SYS/#', '$SYS/uptime', true],
		['a/+/c', 'a//c', true],
	])('the filter %s matches the topic %s: %s', (filter, topic, matches) => {
		expect(matchesFilter(filter, topic)).toBe(matches);
	});

	it.each([
		['#', 'a/b', true],
		['a/#', 'a/+/c', true],
		['a/+', 'a/#', false],
		['a/b', 'a/+', false],
		['a/+', 'a/b', true],
		['a/#', 'a', true],
		['#', '$SYS/#', false],
	])('the filter %s covers the filter %s: %s', (outer, inner, covers) => {
		expect(coversFilter(outer, inner)).toBe(covers);
	});

	it.each([
		['a/+', '+/b', true],
		['a/b', 'a/c', false],
		['a/#', 'a', true],
		['a/+/c', 'a/b', false],
		['#', 'x/y', true],
	])('the filters %s and %s have a topic in common: %s', (one, other, overlap) => {
		expect(overlapFilters(one, other)).toBe(overlap);
		expect(overlapFilters(other, one)).toBe(overlap);
	});

	it('a filter with a wildcard in the wrong place has a problem that names the place', () => {
		expect(filterProblem('a/#/b')).toContain('#');
		expect(filterProblem('a/b+')).toContain('"b+"');
		expect(filterProblem('a/+/#')).toBeUndefined();
	});
});
