import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { collectedMetrics } from './collected-metrics.ts';

describe('collectedMetrics', () => {
	it('reads the present values whenever the registry is asked', async () => {
		const registry = new Registry();
		const { gauge, counter } = collectedMetrics(registry);
		let value = 1;
		gauge('g', 'A gauge', () => value);
		counter('c', 'A counter', () => value);
		expect(await registry.metrics()).toMatch(/^g 1\n(?:.*\n)*^c 1\n/m);
		value = 2;
		expect(await registry.metrics()).toMatch(/^g 2\n(?:.*\n)*^c 2\n/m);
	});

	it('shows one series per sample, also those of value 0, and drops the ones that are gone', async () => {
		const registry = new Registry();
		const { gauge, counter } = collectedMetrics(registry);
		const values = new Map([
			['a', 0],
			['b', 2],
		]);
		const read = () => [...values].map(([name, value]) => [{ name }, value] as const);
		gauge('g', 'A gauge', read, ['name']);
		counter('c', 'A counter', read, ['name']);
		const series = async () => (await registry.metrics()).split('\n').filter((line) => /^[gc]\{/.test(line));
		expect(await series()).toEqual(['g{name="a"} 0', 'g{name="b"} 2', 'c{name="a"} 0', 'c{name="b"} 2']);
		values.delete('a');
		expect(await series()).toEqual(['g{name="b"} 2', 'c{name="b"} 2']);
	});
});
