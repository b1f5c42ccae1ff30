/** A device's link to the gateway over HTTP. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { DeviceReading } from '../reading.ts';
import { type Connection, type Credentials, connectionEnd, type Link, OPEN_TIMEOUT_MS, type Verdict } from './link.ts';

const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Posts each reading to `<url>/ingest`, over connections that are kept open. */
export function httpLink(url: string, credentials: Credentials): Link {
	const target = new URL(`${url.replace(/\/+$/, '')}/ingest`);
	return {
		transport: 'http',
		window: 8,
		open: async () => connection(target, credentials),
	};
}

function connection(target: URL, credentials: Credentials): Connection {
	const secure = target.protocol === 'https:';
	const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
	const request = secure ? httpsRequest : httpRequest;
	const { closed, end } = connectionEnd();
	const cut = (reason: string) => {
		agent.destroy();
		end(reason);
	};
	const send = (reading: DeviceReading) =>
		new Promise<Verdict>((resolve, reject) => {
			const body = Buffer.from(JSON.stringify(reading));
			const headers = {
				authorization: `Bearer ${credentials.token}`,
				'content-type': 'application/json',
				'content-length': body.length,
			};
			const call = request(
				target,
				{ method: 'POST', agent, headers, signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) },
				(response) => {
					readAnswer(response).then((answer) => resolve(verdict(response, answer)), reject);
				},
			);
			call.once('error', reject);
			call.end(body);
		});
	return { send, closed, cut, close: async () => cut('switched off') };
}

async function readAnswer(response: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of response as AsyncIterable<Buffer>) {
		length += chunk.length;
		if (length > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString();
}

function verdict(response: IncomingMessage, answer: string): Verdict {
	const status = response.statusCode ?? 0;
	if (status === 202) return { outcome: 'acknowledged' };
	const reason = `HTTP ${status} ${codeOf(answer)}`.trimEnd();
	const final = status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
	if (final) return { outcome: 'refused', reason };
	const afterMs = retryAfter(response.headers['retry-after']);
	return afterMs === undefined ? { outcome: 'later', reason } : { outcome: 'later', reason, afterMs };
}

function codeOf(answer: string): string {
	try {
		const { error } = JSON.parse(answer) as { error?: { code?: unknown } };
		return typeof error?.code === 'string' ? error.code : '';
	} catch {
		return '';
	}
}

/** Parses Retry-After, seconds or a date (RFC 9110, 10.2.3), to ms from `now`; undefined if it is neither. */
export function retryAfter(header: string | undefined, now = Date.now()): number | undefined {
	if (header === undefined) return undefined;
	const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
	return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : undefined;
}
