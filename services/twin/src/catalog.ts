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
 * In twin's own process `GET /metrics` is two things: the catalog, once a proxy has stripped `/twin` from it, and the
 * process's numbers for Prometheus, which asks it directly. What came through a proxy says so (X-Forwarded-For); who
 * asks for JSON wants the catalog too.
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
