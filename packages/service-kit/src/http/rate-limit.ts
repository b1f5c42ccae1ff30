import { CrowdVisionError } from '@crowdvision/contracts';
import { rateLimit } from 'express-rate-limit';
import type { RequestHandler } from './http.ts';

const WINDOW_MS = 60_000;

/**
 * Refuses what goes beyond `perMinute` requests a minute of one client: an IPv4 address, or an IPv6 network of 56 bits,
 * as a site is given. Each process counts what it gets itself. 0 refuses nothing. Throws `rate_limited` with the
 * seconds to wait.
 */
export function limitRequests(perMinute: number): RequestHandler {
	if (perMinute === 0) return (_request, _response, next) => next();
	return rateLimit({
		windowMs: WINDOW_MS,
		limit: perMinute,
		legacyHeaders: false,
		standardHeaders: false,
		// Its checks are for who sets it up, and write to the console.
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
