import { CrowdVisionError } from '@crowdvision/contracts';
import type { RequestHandler } from 'express';

/** The largest body that any endpoint takes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** The error for a body above `limit` bytes. */
export function tooLarge(limit = MAX_BODY_BYTES): CrowdVisionError {
	const size = limit >= 1024 * 1024 ? `${limit / 1024 / 1024} MiB` : `${limit / 1024} KiB`;
	return new CrowdVisionError('too_large', `The body is larger than ${size}`);
}

/**
 * Runs `parse`, which reads a body, and refuses a body above `limit` bytes as soon as it is: by its Content-Length, or
 * at the byte that exceeds it. body-parser would read it to its end first, and an endless one for ever.
 */
export function boundedBody(parse: RequestHandler, limit = MAX_BODY_BYTES): RequestHandler {
	return (request, response, next) => {
		if (Number(request.headers['content-length']) > limit) throw tooLarge(limit);
		let bytes = 0;
		let isOver = false;
		const goOn = (error?: unknown) => {
			if (isOver) return;
			isOver = true;
			request.off('data', count);
			next(error);
		};
		const count = (chunk: Buffer) => {
			bytes += chunk.length;
			if (bytes > limit) goOn(tooLarge(limit));
		};
		// Where a length is stated, Node reads no further.
		if (request.headers['transfer-encoding'] !== undefined) request.on('data', count);
		parse(request, response, goOn);
	};
}
