import { CrowdVisionError } from '@crowdvision/contracts';
import { rateLimit } from 'express-rate-limit';
import type { RequestHandler } from './app.ts';

const WINDOW_MS = 60_000;

/**
 * Refuses requests beyond `perMinute` per client with `rate_limited` and the seconds to wait. A client is an IPv4
 * address, or an IPv6 network of 56 bits, as one site gets. Each process counts its own requests. 0 sets no limit.
 */
export function limitRequests(perMinute: number): RequestHandler {
	if (perMinute === 0) return (_request, _response, next) => next();
	return rateLimit({
		windowMs: WINDOW_MS,
		limit: perMinute,
		legacyHeaders: false,
		standardHeaders: false,
		// These checks of the set-up would write to the console.
		validate: false,
		handler: (request, _response, next) => {
			const { resetTime } = (request as { rateLimit?: { resetTime?: Date } }).rateLimit ?? {};
			const seconds = Math.max(1, Math.ceil(((resetTime?.getTime() ?? 0) - Date.now()) / 1000));
			next(
				new CrowdVisionError('rate_limited', `More than ${perMinute} requests a minute from one address`, {}, seconds),
			);
		},
	});
}
