import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { ROOT } from '@crowdvision/testing/root';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Standalone, startStandalone } from '../e2e/standalone.ts';

interface Rule {
	alert: string;
	expr: string;
	annotations: { summary: string; todo: string };
}
interface Panel {
	title: string;
	targets: { expr: string }[];
	gridPos: { x: number; y: number; w: number; h: number };
}

const read = (name: string) => readFileSync(join(ROOT, 'deploy', name), 'utf8');
const rules = (parse(read('prometheus/crowdvision.rules.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
	(group) => group.rules,
);
const { panels } = JSON.parse(read('grafana/crowdvision.json')) as { panels: Panel[] };
const expressions = [
	...rules.map(({ alert, expr }) => ({ of: alert, expr })),
	...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ of: title, expr }))),
];

/** The metrics an expression names. @throws Error where it is no PromQL. */
function metricsIn(expr: string): string[] {
	const names: string[] = [];
	parser.parse(expr).iterate({
		enter(node) {
			if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expr}`);
			if (node.name === 'VectorSelector') names.push(/^\w+/.exec(expr.slice(node.from, node.to))![0]);
		},
	});
	return names;
}

let redis: RedisServer;
let product: Standalone;

beforeAll(async () => {
	redis = await startRedis();
	product = await startStandalone({ DEMO: '0', REDIS_URL: redis.url });
}, 60_000);
afterAll(async () => {
	await product?.stop();
	await redis?.stop();
});

describe('the Prometheus rules and the Grafana dashboard', () => {
	it('contain valid PromQL, and the test finds an invalid expression', () => {
		for (const { expr } of expressions) expect(metricsIn(expr)).not.toEqual([]);
		expect(() => metricsIn('sum(rate(x[5m])')).toThrow('no PromQL');
	});

	it('ask only for metrics that the product has', async () => {
		// A series of its own appears with the first request.
		await fetch(`${product.http}/twin/metrics`);
		const text = await (await fetch(`${product.http}/metrics`)).text();
		const known = new Set([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name]) => name));
		const missing = expressions.flatMap(({ of, expr }) =>
			metricsIn(expr)
				.filter((name) => name !== 'up' && !known.has(name) && !known.has(name.replace(/_(bucket|count|sum)$/, '')))
				.map((name) => `${of}: ${name}`),
		);
		expect(missing).toEqual([]);
	});

	it('say what to do for each alert, and overlap no panels', () => {
		for (const { alert, annotations } of rules)
			expect(annotations, alert).toEqual({ summary: expect.any(String), todo: expect.any(String) });
		expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
		const overlap = (a: Panel['gridPos'], b: Panel['gridPos']) =>
			a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
		const pairs = panels.flatMap((a, i) => panels.slice(i + 1).filter((b) => overlap(a.gridPos, b.gridPos)));
		expect(pairs).toEqual([]);
	});
});
