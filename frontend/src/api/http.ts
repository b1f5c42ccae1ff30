import type { ErrorBody, ErrorCode } from '@crowdvision/contracts';
import { clockOffset, setClockOffset } from '../lib/requests/service-clock.ts';
import { sitePath } from '../lib/requests/site-path.ts';

/** A code of the services' error table, or the reason why no service answered. */
export type FailureCode = ErrorCode | 'network' | 'timeout';

/** A request that was refused or not answered. `message` is the service's own sentence, in English. */
export class ApiError extends Error {
	readonly code: FailureCode;
	readonly problems: readonly { path: string; message: string }[];

	constructor(code: FailureCode, message: string, problems: readonly { path: string; message: string }[] = []) {
		super(message);
		this.code = code;
		this.problems = problems;
	}
}

interface RequestOptions {
	body?: unknown;
	signal?: AbortSignal;
	/** Default 15 s. */
	timeoutMs?: number;
}

let onSessionExpired: (() => void) | undefined;

/** Calls `handler` whenever a service answers that the session has ended. Returns a function that unregisters it. */
export function whenSessionExpires(handler: () => void): () => void {
	onSessionExpired = handler;
	return () => {
		if (onSessionExpired === handler) onSessionExpired = undefined;
	};
}

/**
 * Sends one request to a service, with the session cookie. Resolves with the parsed JSON body, undefined if it is
 * empty.
 * @throws ApiError if the service refuses or does not answer; an abort through `signal` rejects with its reason
 */
export async function request<T>(
	method: string,
	path: `/${string}`,
	{ body, signal, timeoutMs = 15_000 }: RequestOptions = {},
): Promise<T> {
	const timeout = AbortSignal.timeout(timeoutMs);
	const sentAt = Date.now();
	let response: Response;
	let text: string;
	try {
		response = await fetch(sitePath(path), {
			method,
			credentials: 'same-origin',
			cache: 'no-store',
			headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
			...(body !== undefined && { body: JSON.stringify(body) }),
			signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
		});
		setClockOffset(clockOffset(response.headers.get('date'), sentAt, Date.now()));
		text = await response.text();
	} catch (error) {
		if (signal?.aborted) throw error;
		throw timeout.aborted
			? new ApiError('timeout', `${path}: no answer within ${timeoutMs} ms`)
			: new ApiError('network', `${path}: the server cannot be reached`);
	}
	const parsed = parse(text);
	if (response.ok && parsed !== NOT_JSON) return parsed as T;
	const error = errorOf(response.status, parsed);
	if (error.code === 'unauthenticated') onSessionExpired?.();
	throw error;
}

const NOT_JSON = Symbol('not JSON');

function parse(text: string): unknown {
	if (text === '') return undefined;
	try {
		return JSON.parse(text);
	} catch {
		return NOT_JSON;
	}
}

/**
 * The error of a refused request. An answer that is not in the services' shape comes from a proxy on the way; it gets
 * the code closest to its status.
 */
function errorOf(status: number, body: unknown): ApiError {
	const error = typeof body === 'object' && body !== null ? (body as Partial<ErrorBody>).error : undefined;
	if (error?.code) {
		const { code, message = '', path } = error;
		return new ApiError(code, message, error.problems ?? (path ? [{ path, message }] : []));
	}
	const code: FailureCode =
		status === 401 ? 'unauthenticated' : status === 404 ? 'not_found' : status === 413 ? 'too_large' : 'unavailable';
	return new ApiError(code, `HTTP ${status}`);
}
