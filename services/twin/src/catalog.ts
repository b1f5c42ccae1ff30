import { METRIC_KEYS, METRICS, type MetricsResponse } from '@crowdvision/contracts';
import { type RequestHandler, Router } from '@crowdvision/service-kit';

const CATALOG: MetricsResponse = {
	metrics: Object.fromEntries(
		METRIC_KEYS.map((key) => {
			const { unit, min, max, decimals, label } = METRICS[key];
			return [key, { unit, min, max, decimals, label }];
		}),
	),
};

/** `GET /twin/metrics`: the metric catalog. */
export const catalog: RequestHandler = (_request, response) => {
	response.set('Cache-Control', 'public, max-age=300').json(CATALOG);
};

/**
 * In twin's own process `GET /metrics` has two meanings: the metric catalog, after a proxy has stripped `/twin` from
 * the path, and the metrics of the process for Prometheus, which asks directly. Requests through a proxy
 * (X-Forwarded-For) and requests for JSON get the catalog; all others go on to the probes.
 */
export function catalogBeforeProbes(): Router {
	const router = Router();
	router.get('/metrics', (request, response, next) => {
		const proxied = request.headers['x-forwarded-for'] !== undefined;
		const wantsJson =
			request.accepts(['text/plain', 'application/openmetrics-text', 'application/json']) === 'application/json';
		if (!proxied && !wantsJson) return next();
		return catalog(request, response, next);
	});
	return router;
}
