import { collectDefaultMetrics, Histogram, type Registry } from 'prom-client';
import type { RequestHandler } from './app.ts';

const NAME = 'http_request_duration_seconds';
/** In seconds, from unnoticeable to the time-out of a proxy. */
const BUCKETS = [0.005, 0.02, 0.1, 0.25, 1, 2.5, 10];

/**
 * Registers memory, event loop and garbage collection of this process under prom-client's usual names. Call it once.
 */
export function processMetrics(metrics: Registry): void {
	collectDefaultMetrics({ register: metrics });
}

/**
 * Measures the requests of a service by method, route pattern and status. It never uses the requested path, since a
 * client could create any number of series with it. Mount it before the service's router.
 */
export function requestMetrics(metrics: Registry, service: string): RequestHandler {
	const durations = histogram(metrics);
	return (request, response, next) => {
		const began = performance.now();
		response.once('finish', () => {
			const pattern = (request.route as { path?: string } | undefined)?.path;
			const labels = { service, method: request.method, route: pattern ?? 'none', status: String(response.statusCode) };
			durations.observe(labels, (performance.now() - began) / 1000);
		});
		next();
	};
}

/** One histogram for all services of a process. */
function histogram(metrics: Registry): Histogram {
	const known = metrics.getSingleMetric(NAME);
	if (known) return known as Histogram;
	return new Histogram({
		name: NAME,
		help: 'Time from a request to the end of its answer',
		labelNames: ['service', 'method', 'route', 'status'],
		buckets: BUCKETS,
		registers: [metrics],
	});
}
