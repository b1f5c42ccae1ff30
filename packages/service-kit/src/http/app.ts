import { CrowdVisionError, duplicateKeys } from '@crowdvision/contracts';
import express, {
	type ErrorRequestHandler,
	type Express,
	type Request,
	type RequestHandler,
	type Response,
	Router,
} from 'express';
import type { Logger } from '../logger.ts';
import { boundedBody, MAX_BODY_BYTES } from './bounded-body.ts';
import { AmbiguousBody } from './invalid.ts';
import { refuse } from './plain-answers.ts';
import { Site } from './site.ts';

export { type ErrorRequestHandler, type Express, express, type Request, type RequestHandler, type Response, Router };

/**
 * An express app without the X-Powered-By header and without nested query parameters. Finish it with `finishApp`.
 * `site` decides which proxies are believed about a request's client; default: those of this machine.
 */
export function createApp(site = new Site()): Express {
	const app = express();
	app.set('trust proxy', [...site.trustProxy]);
	app.disable('x-powered-by');
	app.set('query parser', 'simple');
	app.use((request, _response, next) => {
		site.canonicalize(request);
		next();
	});
	return app;
}

/**
 * Parses JSON bodies, and refuses those that give a key twice, as one of its values would be lost without a word. Mount
 * it on the routers that take JSON, not on the app: ingest reads bodies itself.
 */
export const jsonBody = (limit = MAX_BODY_BYTES): RequestHandler => {
	const verify = (_request: unknown, _response: unknown, body: Buffer, encoding: string) => {
		const problems = duplicateKeys(new TextDecoder(encoding).decode(body));
		if (problems.length > 0) throw new AmbiguousBody(problems);
	};
	return boundedBody(express.json({ limit, strict: false, verify }), limit);
};

/** Mount it last: answers 404 where no route matched, and every error in the shape of contracts/errors.ts. */
export function finishApp(app: Express, logger: Logger): void {
	app.use((request) => {
		throw new CrowdVisionError('not_found', `There is nothing at ${request.method} ${request.path.slice(0, 200)}`);
	});
	const onError: ErrorRequestHandler = (error, request, response, next) => {
		if (response.headersSent) return next(error);
		const clientError = refuse(error, request, response, logger);
		response.status(clientError.status).json(clientError.toBody());
	};
	app.use(onError);
}
