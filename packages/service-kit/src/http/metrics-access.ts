import { createHash, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import proxyAddress from 'proxy-addr';
import type { Request } from './app.ts';
import { bearerToken } from './guards.ts';
import { Site } from './site.ts';

/** Who may read `/metrics`, by METRICS_FROM and METRICS_TOKEN. */
export interface MetricsSettings {
	METRICS_FROM: readonly string[];
	METRICS_TOKEN?: string | undefined;
}

/** Whether a request may read the metrics. @throws CrowdVisionError `unauthenticated` */
export type MetricsGuard = (request: Request) => void;

/**
 * Lets the addresses of METRICS_FROM read the metrics, as seen through trusted proxies, and whoever sends METRICS_TOKEN
 * as a bearer token. Metrics name sensors, bridges and devices, and a port may be open to anybody.
 */
export function metricsGuard(
	{ METRICS_FROM, METRICS_TOKEN }: MetricsSettings = { METRICS_FROM: ['loopback'] },
	site = new Site(),
): MetricsGuard {
	const isNear = proxyAddress.compile([...METRICS_FROM]);
	const expected = METRICS_TOKEN === undefined ? undefined : digest(METRICS_TOKEN);
	return (request) => {
		if (isNear(site.addressOf(request), 0)) return;
		const given = bearerToken(request);
		if (expected && given !== undefined && timingSafeEqual(digest(given), expected)) return;
		throw new CrowdVisionError(
			'unauthenticated',
			expected
				? 'Send METRICS_TOKEN as a bearer token'
				: 'Metrics are for this machine only: set METRICS_TOKEN or METRICS_FROM to read them from others',
		);
	};
}

const digest = (text: string) => createHash('sha256').update(text).digest();
