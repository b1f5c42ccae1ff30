import type { IncomingMessage, ServerResponse } from 'node:http';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { DashboardServer } from '../dashboards/dashboard.ts';
import { CountByKey } from '../limits/limits.ts';

const RETRY_AFTER_SECONDS = 30;

/** Refuses connections beyond `max` from one address with 429, also of clients that never authenticate. */
export function limitAddresses(
	io: DashboardServer,
	max: number,
	addressOf: (request: IncomingMessage) => string,
): void {
	const open = new CountByKey();
	io.engine.on(
		'connection',
		(connection: { request: IncomingMessage; once(event: 'close', listener: () => void): void }) => {
			const address = addressOf(connection.request);
			open.add(address);
			connection.once('close', () => open.remove(address));
		},
	);
	io.engine.use(
		(request: IncomingMessage & { _query?: { sid?: string } }, response: ServerResponse, next: () => void) => {
			// A request with a session id belongs to a connection that is counted already.
			if (request._query?.sid !== undefined || open.of(addressOf(request)) < max) return next();
			const refusal = new CrowdVisionError(
				'rate_limited',
				`This address has ${max} connections already`,
				{},
				RETRY_AFTER_SECONDS,
			);
			response.writeHead(refusal.status, {
				'Content-Type': 'application/json',
				'Retry-After': String(RETRY_AFTER_SECONDS),
			});
			response.end(JSON.stringify(refusal.toBody()));
		},
	);
}
