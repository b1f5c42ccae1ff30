import { CrowdVisionError } from '@crowdvision/contracts';
import { Router } from 'express';
import type { Registry } from 'prom-client';

/** The state of a process, for `/healthz`, `/readyz` and `/metrics`. */
export interface Probes {
	metrics: Registry;
	/** Undefined when every dependency is reached, else the reason for a person. */
	trouble(): Promise<string | undefined>;
	/** Further fields of `/readyz` while all is well. */
	about?(): Record<string, unknown>;
}

/**
 * `GET /healthz` (the process is alive), `GET /readyz` (503 with the reason while a dependency is unreachable) and
 * `GET /metrics` (Prometheus text format).
 */
export function probeRoutes(probes: Probes): Router {
	const router = Router();
	router.get('/healthz', (_request, response) => {
		response.json({ status: 'ok' });
	});
	router.get('/readyz', async (_request, response) => {
		const trouble = await probes.trouble();
		if (trouble) throw new CrowdVisionError('unavailable', trouble);
		response.json({ status: 'ready', ...probes.about?.() });
	});
	router.get('/metrics', async (_request, response) => {
		response.type(probes.metrics.contentType).send(await probes.metrics.metrics());
	});
	return router;
}
