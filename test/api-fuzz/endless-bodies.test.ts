import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Document, type Operation, operationsOf } from './document.ts';
import { type Role, roleFor } from './requests.ts';
import { openSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
	site = await openSite();
}, 120_000);
afterAll(() => site.stop());

const CHUNK = Buffer.alloc(16 * 1024, ' ');
/** More than any bound, and what the buffers of two sockets hold. */
const MOST_BYTES = 64 * 1024 * 1024;
/** With names that exist, where an answer depends on them. */
const pathOf = ({ path }: Operation) =>
	path.replaceAll(/\{\w+\}/g, (name) => (path.startsWith('/auth/domains') && name === '{name}' ? 'museum' : 'webhook'));

interface Ended {
	status: number;
	/** Bytes that were read from the sender until the connection closed. */
	sent: number;
}

/** Sends a body without an end and without a length until the connection closes. */
async function sendEndlessly(operation: Operation, role: Role): Promise<Ended> {
	const url = new URL(site.http);
	const signedIn = await site.signedIn(role);
	const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked', ...signedIn };
	let sent = 0;
	const body = new Readable({
		read() {
			sent += CHUNK.length;
			// The answer is looked for between two chunks.
			setImmediate(() => this.push(sent < MOST_BYTES ? CHUNK : null));
		},
	});
	return new Promise((resolve, reject) => {
		const { method } = operation;
		const request = httpRequest({ host: url.hostname, port: url.port, method, path: pathOf(operation), headers });
		let status: number | undefined;
		request.on('response', (response) => {
			status = response.statusCode;
			response.on('error', () => {});
			response.resume();
		});
		request.on('error', (error) => {
			if (status === undefined)
				reject(new Error(`${method} ${pathOf(operation)} by ${role} after ${sent} bytes`, { cause: error }));
		});
		request.on('close', () => {
			body.destroy();
			resolve({ status: status ?? 0, sent });
		});
		body.pipe(request);
	});
}

describe('P14 an endless chunked body', () => {
	it('is answered and closed by every operation that takes one, in all services and the gateway', async () => {
		const operations = operationsOf(site.document as Document).filter(({ requestBody }) => requestBody);
		expect(new Set(operations.map(({ path }) => path.split('/')[1]))).toEqual(
			new Set(['auth', 'twin', 'notification', 'llm', 'ingest', 'gateway']),
		);
		const tries = operations.flatMap((operation) =>
			[roleFor(operation), 'none' as const].map((role) => ({ operation, role })),
		);
		const wrong = await Promise.all(
			tries.map(async ({ operation, role }) => {
				const { status, sent } = await sendEndlessly(operation, role);
				const isRight = operation.path === '/ingest' ? status === 413 : status >= 400 && status < 500;
				return isRight && sent < MOST_BYTES
					? []
					: [`${operation.operationId} by ${role}: ${status} after ${sent} bytes`];
			}),
		);
		expect(wrong.flat()).toEqual([]);
	});
});
