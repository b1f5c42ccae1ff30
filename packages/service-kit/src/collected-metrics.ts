import { Counter, Gauge, type Registry } from 'prom-client';

/** One series: its labels and its value. */
export type Sample = readonly [labels: Record<string, string>, value: number];

type Read = () => number | Iterable<Sample>;

/**
 * Metrics on `registry` whose values are kept elsewhere and read whenever Prometheus asks: `read` returns the value, or
 * one sample per series where `labelNames` are given. Series that `read` no longer returns vanish.
 */
export function collectedMetrics(registry: Registry) {
	return {
		gauge(name: string, help: string, read: Read, labelNames: string[] = []): void {
			new Gauge({
				name,
				help,
				labelNames,
				registers: [registry],
				collect() {
					this.reset();
					for (const [labels, value] of samplesOf(read)) this.set(labels, value);
				},
			});
		},
		counter(name: string, help: string, read: Read, labelNames: string[] = []): void {
			new Counter({
				name,
				help,
				labelNames,
				registers: [registry],
				collect() {
					this.reset();
					for (const [labels, value] of samplesOf(read)) this.inc(labels, value);
				},
			});
		},
	};
}

function samplesOf(read: Read): Iterable<Sample> {
	const value = read();
	return typeof value === 'number' ? [[{}, value]] : value;
}
