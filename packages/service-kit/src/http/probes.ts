import { CrowdVisionError } from '@crowdvision/contracts';
import { Router } from 'express';
import type { Registry } from 'prom-client';
import { type MetricsGuard, metricsGuard } from './metrics-access.ts';

/** The state of a process, for `/healthz`, `/readyz` and `/metrics`. */
export interface Probes {
	metrics: Registry;
	/** Who may read the metrics; default: this machine. */
	metricsGuard?: MetricsGuard;
	/** Undefined when every dependency is reached, else the reason for a person. */
	trouble(): Promise<string | undefined>;
	/** Further fields of `/readyz` while all is well. */
	about?(): Record<string, unknown>;
}

/**
 * `GET /healthz` (the process is alive), `GET /readyz` (503 with the reason while a dependency is unreachable) and
 * `GET /metrics` (Prometheus text format) for whom `metricsGuard` lets through.
 */
export function probeRoutes(probes: Probes): Router {
	const router = Router();
	const guard = probes.metricsGuard ?? metricsGuard();
	router.get('/healthz', (_request, response) => {
		response.json({ status: 'ok' });
	});
	router.get('/readyz', async (_request, response) => {
		const trouble = await probes.trouble();
		if (trouble) throw new CrowdVisionError('unavailable', trouble);
		response.json({ status: 'ready', ...probes.about?.() });
	});
	router.get('/metrics', async (request, response) => {
		guard(request);
		response.type(probes.metrics.contentType).send(await probes.metrics.metrics());
	});
	return router;
}
