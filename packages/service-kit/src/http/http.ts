import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { CrowdVisionError, type ErrorBody, type Problem, type Validator } from '@crowdvision/contracts';
import express, {
	type ErrorRequestHandler,
	type Express,
	type Request,
	type RequestHandler,
	type Response,
	Router,
} from 'express';
import type { Registry } from 'prom-client';
import type { Logger } from '../logger.ts';

export { type Express, express, type Request, type RequestHandler, type Response, Router };

/** What a process says of itself on `/healthz`, `/readyz` and `/metrics`. */
export interface Probes {
	metrics: Registry;
	/** Undefined when every dependency is reached, else the reason for a person. */
	trouble(): Promise<string | undefined>;
	/** More to say on `/readyz` while all is well. */
	about?(): Record<string, unknown>;
}

/**
 * `GET /healthz` (alive), `GET /readyz` (503 with the reason while a dependency is away), `GET /metrics` (Prometheus
 * text).
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

/**
 * An express app with the house's limits: JSON bodies up to 1 MiB, no fingerprint header. Finish it with `finishApp`.
 * `trustProxy` lists whose X-Forwarded-For and -Proto are believed (TRUST_PROXY); by default this machine's.
 */
export function createApp({ trustProxy = ['loopback'] }: { trustProxy?: readonly string[] } = {}): Express {
	const app = express();
	app.set('trust proxy', [...trustProxy]);
	app.disable('x-powered-by');
	app.set('query parser', 'simple');
	return app;
}

/** Parses JSON bodies. Mount it on the routers that take JSON, not on the app: ingest reads its own bodies. */
export const jsonBody = (limit: string | number = '1mb'): RequestHandler => express.json({ limit, strict: false });

/** Mounted last: 404 for what no route took, and every error as the one shape of contracts/errors.ts. */
export function finishApp(app: Express, logger: Logger): void {
	app.use((request) => {
		throw new CrowdVisionError('not_found', `There is nothing at ${request.method} ${request.path.slice(0, 200)}`);
	});
	const onError: ErrorRequestHandler = (error, request, response, next) => {
		if (response.headersSent) return next(error);
		const refusal = asRefusal(error, request, logger);
		if (refusal.retryAfter !== undefined) response.set('Retry-After', String(refusal.retryAfter));
		if (refusal.code === 'unauthenticated') response.set('WWW-Authenticate', 'Bearer');
		response.status(refusal.status).json(refusal.toBody());
	};
	app.use(onError);
}

/** What body-parser and express throw, by their own type names. */
function asRefusal(error: unknown, request: Request, logger: Logger): CrowdVisionError {
	if (error instanceof CrowdVisionError) return error;
	const { type, status } = error as { type?: string; status?: number };
	if (type === 'entity.parse.failed') return new CrowdVisionError('not_json', 'The body is not valid JSON');
	if (type === 'entity.too.large') return new CrowdVisionError('too_large', 'The body is larger than 1 MiB');
	if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
		return new CrowdVisionError('unsupported_media_type', 'The body must be UTF-8, plain or with gzip, deflate or br');
	}
	if (status !== undefined && status >= 400 && status < 500)
		return new CrowdVisionError('bad_request', 'The request could not be read');
	const requestId = randomUUID();
	logger.error({ err: error, requestId, method: request.method, path: request.path }, 'request failed');
	return new CrowdVisionError('internal', 'Something went wrong here', { requestId });
}

/**
 * Validates a request body.
 * @throws CrowdVisionError `invalid` with the first mistake's path and message.
 */
export function parseBody<T>(validator: Validator<T>, body: unknown): T {
	if (validator.check(body)) return body;
	throw invalid(validator.problems(body));
}

/** The refusal of a document, with the first mistake in front and all of them behind it. */
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

/** Opens `server` and resolves with the port it got. Rejects with a sentence for a person when it cannot. */
export function listen(server: Server, port: number, host: string): Promise<number> {
	return new Promise((resolve, reject) => {
		server.once('error', (error: NodeJS.ErrnoException) => {
			reject(
				new Error(
					error.code === 'EADDRINUSE'
						? `port ${port} on ${host} is taken; set another`
						: `cannot listen on ${host}:${port}: ${error.message}`,
				),
			);
		});
		const sockets = new Set<Socket>();
		socketsOf.set(server, sockets);
		server.on('connection', (socket: Socket) => {
			sockets.add(socket);
			socket.once('close', () => sockets.delete(socket));
		});
		server.listen(port, host, () => resolve((server.address() as { port: number }).port));
	});
}

/** Upgraded connections are no longer the HTTP server's to close, but it waits for them all the same. */
const socketsOf = new WeakMap<Server, Set<Socket>>();

/** Stops accepting, lets requests under way finish, and cuts what is left after `graceMs`. */
export function closeServer(server: Server, graceMs = 3000): Promise<void> {
	return new Promise((resolve) => {
		if (!server.listening) return resolve();
		const force = setTimeout(() => {
			server.closeAllConnections();
			for (const socket of socketsOf.get(server) ?? []) socket.destroy();
		}, graceMs);
		server.close(() => {
			clearTimeout(force);
			resolve();
		});
		server.closeIdleConnections();
	});
}

export { createServer };
