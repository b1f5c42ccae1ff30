import type { MetricLookup, MetricsResponse } from '@crowdvision/contracts';
import { type RequestHandler, Router } from '@crowdvision/service-kit';

/** `GET /twin/metrics`: the metric catalog, with the metrics that gateways configure. */
export function catalogRoute(catalog: MetricLookup): RequestHandler {
	return (_request, response) => {
		response.set('Cache-Control', 'public, max-age=60').json(answerOf(catalog));
	};
}

function answerOf(catalog: MetricLookup): MetricsResponse {
	const entries = catalog.allKeys().map((key) => {
		const { unit, min, max, decimals, label, combine, kind } = catalog.describe(key);
		const retired = catalog.isRetired(key) && ({ retired: true } as const);
		return [key, { unit, min, max, decimals, label, combine, ...(kind && { kind }), ...retired }];
	});
	return { metrics: Object.fromEntries(entries) };
}

/**
 * In twin's own process `GET /metrics` has two meanings: the metric catalog, after a proxy has stripped `/twin` from
 * the path, and the metrics of the process for Prometheus, which asks directly. Requests through a proxy
 * (X-Forwarded-For) and requests for JSON get the catalog; all others go on to the probes.
 */
export function catalogBeforeProbes(catalog: MetricLookup): Router {
	const router = Router();
	const answer = catalogRoute(catalog);
	router.get('/metrics', (request, response, next) => {
		const proxied = request.headers['x-forwarded-for'] !== undefined;
		const wantsJson =
			request.accepts(['text/plain', 'application/openmetrics-text', 'application/json']) === 'application/json';
		if (!proxied && !wantsJson) return next();
		return answer(request, response, next);
	});
	return router;
}
