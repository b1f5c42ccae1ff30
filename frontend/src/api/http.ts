import type { ErrorBody, ErrorCode } from '@crowdvision/contracts';
import { clockOffset, keepClockOffset } from '../lib/requests/service-clock.ts';

/** A code of the services' error table, or why no answer of a service came at all. */
export type FailureCode = ErrorCode | 'network' | 'timeout';

/** A request that was refused or went unanswered. `message` is the service's own sentence, in English. */
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

let onUnauthenticated: (() => void) | undefined;

/** Calls `handler` whenever a service says that the session is over. Returns what takes it back. */
export function whenUnauthenticated(handler: () => void): () => void {
	onUnauthenticated = handler;
	return () => {
		if (onUnauthenticated === handler) onUnauthenticated = undefined;
	};
}

/**
 * One request to a service, with the session cookie. Resolves with the parsed body (undefined for an empty one).
 * @throws ApiError; an abort through `signal` rejects with the signal's reason.
 */
export async function request<T>(
	method: string,
	path: string,
	{ body, signal, timeoutMs = 15_000 }: RequestOptions = {},
): Promise<T> {
	const timeout = AbortSignal.timeout(timeoutMs);
	const sentAt = Date.now();
	let response: Response;
	let text: string;
	try {
		response = await fetch(path, {
			method,
			credentials: 'same-origin',
			cache: 'no-store',
			headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
			...(body !== undefined && { body: JSON.stringify(body) }),
			signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
		});
		keepClockOffset(clockOffset(response.headers.get('date'), sentAt, Date.now()));
		text = await response.text();
	} catch (error) {
		if (signal?.aborted) throw error;
		throw timeout.aborted
			? new ApiError('timeout', 'No answer in time')
			: new ApiError('network', 'The server cannot be reached');
	}
	const parsed = parse(text);
	if (response.ok && parsed !== NOT_JSON) return parsed as T;
	const error = refusal(response.status, parsed);
	if (error.code === 'unauthenticated') onUnauthenticated?.();
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
 * A refusal in the services' shape, or, where something between here and there answered, the code closest to its
 * status.
 */
function refusal(status: number, body: unknown): ApiError {
	const told = typeof body === 'object' && body !== null ? (body as Partial<ErrorBody>).error : undefined;
	if (told?.code)
		return new ApiError(
			told.code,
			told.message ?? '',
			told.problems ?? (told.path ? [{ path: told.path, message: told.message }] : []),
		);
	const code: FailureCode =
		status === 401 ? 'unauthenticated' : status === 404 ? 'not_found' : status === 413 ? 'too_large' : 'unavailable';
	return new ApiError(code, `HTTP ${status}`);
}
