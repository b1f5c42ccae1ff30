import type { ErrorCode } from '@crowdvision/contracts';
import { onTestFinished, vi } from 'vitest';

/** A request that the page sent. */
interface Call {
	method: string;
	/** Path and query. */
	path: string;
	body: unknown;
	/** Whether the page aborted the request. */
	readonly aborted: boolean;
	/** Answers the request with 200 and a JSON body. */
	answer(body: unknown): Promise<void>;
	/** Answers the request with an error of the services' error table. */
	refuse(status: number, code: ErrorCode, message?: string): Promise<void>;
	/** Ends the request as a broken network does. */
	fail(): Promise<void>;
}

/** The services behind `fetch`, in the hands of the test. */
export interface Services {
	/** Requests that wait for an answer, oldest first. */
	readonly pending: Call[];
	/** Every request so far, as `METHOD path`. */
	readonly log: string[];
	/** Answers by `METHOD path` without the query; a request that is not listed waits in `pending`. */
	readonly answers: Record<string, (call: Call) => void>;
	/** Takes the oldest waiting request, which must be the given one. */
	next(request: string): Call;
}

/** Lets everything that is waiting for a promise go on. */
export const settle = () => new Promise<void>((resume) => setImmediate(resume));

/** Replaces `fetch` until the running test is finished. */
export function fakeServices(answers: Services['answers'] = {}): Services {
	const services: Services = {
		pending: [],
		log: [],
		answers,
		next(request) {
			const call = services.pending.shift();
			if (!call || !`${call.method} ${call.path}`.startsWith(request))
				throw new Error(`expected ${request}, but got ${call ? `${call.method} ${call.path}` : 'no request'}`);
			return call;
		},
	};
	vi.stubGlobal('fetch', (path: string, { method, body, signal }: RequestInit) => {
		return new Promise<Response>((resolve, reject) => {
			signal?.addEventListener('abort', () => reject(signal.reason));
			const respond = (response: Response) => {
				resolve(response);
				return settle();
			};
			const call: Call = {
				method: method ?? 'GET',
				path,
				body: typeof body === 'string' ? JSON.parse(body) : undefined,
				get aborted() {
					return signal?.aborted ?? false;
				},
				answer: (json) => respond(Response.json(json)),
				refuse: (status, code, message = code) => respond(Response.json({ error: { code, message } }, { status })),
				fail: () => {
					reject(new TypeError('no network'));
					return settle();
				},
			};
			services.log.push(`${call.method} ${path}`);
			const answer = answers[`${call.method} ${path.replace(/\?.*/, '')}`];
			if (answer) answer(call);
			else services.pending.push(call);
		});
	});
	onTestFinished(() => void vi.unstubAllGlobals());
	return services;
}
