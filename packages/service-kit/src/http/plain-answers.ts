/** Answers requests on node's HTTP server as the routes of an express app answer them. */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';
import { tooLarge } from './bounded-body.ts';
import { AmbiguousBody, invalid } from './invalid.ts';

/** The header fields of an answer, name and value in turn. */
type Head = readonly string[];

/** Heads of short answers, such as `{"accepted":1}`, by their text. */
const heads = new Map<string, Head>();
const MAX_HEADS = 128;
const MAX_KEPT_LENGTH = 32;

/** Answers with JSON and the fields that express's `response.json` sets, beside those that were set before. */
export function answerJson(response: ServerResponse, status: number, body: object): void {
	const text = JSON.stringify(body);
	let head = heads.get(text);
	if (!head) {
		head = headOf(text);
		if (text.length <= MAX_KEPT_LENGTH) {
			if (heads.size >= MAX_HEADS) heads.clear();
			heads.set(text, head);
		}
	}
	response.writeHead(status, head as string[]);
	response.end(text);
}

function headOf(text: string): Head {
	const length = Buffer.byteLength(text);
	const hash = createHash('sha1').update(text).digest('base64').slice(0, 27);
	return [
		...['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(length)],
		...['ETag', `W/"${length.toString(16)}-${hash}"`],
	];
}

/** Answers with an error, as an app that `finishApp` has finished. */
export function answerError(error: unknown, request: IncomingMessage, response: ServerResponse, logger: Logger): void {
	const clientError = refuse(error, request, response, logger);
	answerJson(response, clientError.status, clientError.toBody());
}

/** Sets the header fields of the answer to an error. Returns the error that the client gets. */
export function refuse(
	error: unknown,
	request: IncomingMessage,
	response: ServerResponse,
	logger: Logger,
): CrowdVisionError {
	const clientError = toClientError(error, request, logger);
	if (clientError.retryAfter !== undefined) response.setHeader('Retry-After', String(clientError.retryAfter));
	// A route that takes other schemes has named them.
	if (clientError.code === 'unauthenticated' && !response.hasHeader('WWW-Authenticate'))
		response.setHeader('WWW-Authenticate', 'Bearer');
	return clientError;
}

/** Maps an error of body-parser or express to the error a client gets; any other becomes `internal` and is logged. */
function toClientError(error: unknown, { method, url = '' }: IncomingMessage, logger: Logger): CrowdVisionError {
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
	logger.error({ err: error, requestId, method, path: url.split('?', 1)[0] }, 'request failed');
	return new CrowdVisionError('internal', 'Something went wrong on the server: try again later', {
		requestId,
	});
}
