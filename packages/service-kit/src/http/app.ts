import { randomUUID } from 'node:crypto';
import { CrowdVisionError, duplicateKeys, type ErrorBody, type Problem, type Validator } from '@crowdvision/contracts';
import express, {
	type ErrorRequestHandler,
	type Express,
	type Request,
	type RequestHandler,
	type Response,
	Router,
} from 'express';
import type { Logger } from '../logger.ts';
import { boundedBody, MAX_BODY_BYTES, tooLarge } from './bounded-body.ts';
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

/** Of a body with a key that is given twice. A plain error: body-parser writes a `status` of its own into it. */
class AmbiguousBody extends Error {
	readonly type = 'entity.ambiguous';
	readonly problems: Problem[];

	constructor(problems: Problem[]) {
		super('a key is given twice');
		this.problems = problems;
	}
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
		const clientError = toClientError(error, request, logger);
		if (clientError.retryAfter !== undefined) response.set('Retry-After', String(clientError.retryAfter));
		// A route that takes other schemes has named them.
		if (clientError.code === 'unauthenticated' && !response.hasHeader('WWW-Authenticate'))
			response.set('WWW-Authenticate', 'Bearer');
		response.status(clientError.status).json(clientError.toBody());
	};
	app.use(onError);
}

/** Maps an error of body-parser or express to the error a client gets; any other becomes `internal` and is logged. */
function toClientError(error: unknown, request: Request, logger: Logger): CrowdVisionError {
	if (error instanceof CrowdVisionError) return error;
	if (error instanceof AmbiguousBody) return invalid(error.problems);
	const { type, status, limit } = error as { type?: string; status?: number; limit?: number };
	if (type === 'entity.parse.failed') return new CrowdVisionError('not_json', 'The body is not valid JSON');
	if (type === 'entity.too.large') return tooLarge(limit);
	if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
		return new CrowdVisionError('unsupported_media_type', 'The body must be UTF-8, plain or with gzip, deflate or br');
	}
	if (status !== undefined && status >= 400 && status < 500)
		return new CrowdVisionError('bad_request', 'The request could not be read');
	const requestId = randomUUID();
	logger.error({ err: error, requestId, method: request.method, path: request.path }, 'request failed');
	return new CrowdVisionError('internal', 'Something went wrong on the server: try again later', {
		requestId,
	});
}

/**
 * Validates a request body.
 * @throws CrowdVisionError `invalid` with path and message of the first mistake.
 */
export function parseBody<T>(validator: Validator<T>, body: unknown): T {
	if (validator.check(body)) return body;
	throw invalid(validator.problems(body));
}

/** The error for an invalid document: the message describes the first mistake, `problems` lists them all. */
export function invalid(problems: Problem[]): CrowdVisionError {
	const [first] = problems;
	const details: Omit<ErrorBody['error'], 'code' | 'message'> = { problems };
	if (first) details.path = first.path;
	return new CrowdVisionError(
		'invalid',
		first ? `${first.path || 'the document'} ${first.message}` : 'The document is not valid',
		details,
	);
}
