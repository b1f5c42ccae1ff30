/** Answers plain requests to `/ingest` from node's HTTP server, without express. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerError, answerJson, type Logger, MAX_BODY_BYTES, type Site } from '@crowdvision/service-kit';
import { CHALLENGES, type HttpSignIn } from '../../access/http-sign-in.ts';
import type { Decoders } from '../../decode/decoders.ts';
import { NDJSON_TYPE } from '../../frame.ts';
import type { Sender } from '../../normalize/identify.ts';
import { JSON_TYPE } from '../ndjson.ts';
import { mediaType, type TakePost, type Target, targetOf } from './post.ts';

export interface PlainPostsParts {
	signIn: HttpSignIn;
	decoders: Decoders;
	take: TakePost;
	site: Pick<Site, 'expressAddressOf'>;
	logger: Logger;
}

const INGEST = '/ingest';
/** Paths and queries that say the same however they are decoded. */
const PLAIN_URL = /^\/ingest(?:\/([\w-]{1,64}))?(?:\?(partial|event)=(\w{1,32}))?$/;
const PLAIN: Target = targetOf(undefined, {});

/**
 * Takes the requests that devices send: POST to `/ingest` or to a way in of its own, with a body of stated length that
 * is not encoded. All others are left to express, untouched, which would have answered these in the same way.
 */
export class PlainPosts {
	readonly #parts: PlainPostsParts;

	constructor(parts: PlainPostsParts) {
		this.#parts = parts;
	}

	/** False: the request is not plain, and nothing of it was read. */
	take(request: IncomingMessage, response: ServerResponse): boolean {
		if (request.method !== 'POST') return false;
		const target = plainTarget(request.url!);
		if (!target) return false;
		const { headers } = request;
		const size = Number(headers['content-length']);
		if (!(size > 0 && size <= MAX_BODY_BYTES)) return false;
		if (headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined) return false;
		const type = mediaType(headers['content-type']);
		if (target.name === undefined && type !== JSON_TYPE && type !== NDJSON_TYPE) {
			if (!this.#parts.decoders.forContentType(type)) return false;
		}
		readBody(request, size, (body) => {
			try {
				this.#signIn(request, response, { target, type, body });
			} catch (error) {
				this.#refuse(request, response, error as Error);
			}
		});
		return true;
	}

	#signIn(request: IncomingMessage, response: ServerResponse, content: Content): void {
		const { signIn, site } = this.#parts;
		const { authorization } = request.headers;
		const address = site.expressAddressOf(request);
		const known = signIn.again(request.socket, authorization);
		if (known) {
			this.#post(request, response, { sender: known, address, content });
			return;
		}
		signIn.sender(request, address ?? '').then(
			(sender) => {
				signIn.remember(request.socket, authorization!, sender);
				this.#post(request, response, { sender, address, content });
			},
			(error: Error) => {
				response.setHeader('WWW-Authenticate', CHALLENGES);
				this.#refuse(request, response, error);
			},
		);
	}

	#post(request: IncomingMessage, response: ServerResponse, { sender, address, content }: Signed): void {
		const { target, type, body } = content;
		const { name, event, partial } = target;
		this.#parts.take({ name, event, partial, sender, address, type, body }, (error, accepted, rejected) => {
			if (error) this.#refuse(request, response, error);
			else answerJson(response, 202, rejected ? { accepted, rejected } : { accepted });
		});
	}

	#refuse(request: IncomingMessage, response: ServerResponse, error: Error): void {
		answerError(error, request, response, this.#parts.logger);
	}
}

interface Content {
	target: Target;
	type: string;
	body: Buffer;
}

interface Signed {
	sender: Sender;
	address: string | undefined;
	content: Content;
}

function plainTarget(url: string): Target | undefined {
	if (url === INGEST) return PLAIN;
	const [plain, name, key, value] = PLAIN_URL.exec(url) ?? [];
	if (plain === undefined) return undefined;
	return targetOf(name, key === undefined ? {} : { [key]: value });
}

/** Calls back with the whole body once all of it is there; never for a request that breaks off. */
function readBody(request: IncomingMessage, size: number, done: (body: Buffer) => void): void {
	let parts: Buffer[] | undefined;
	let bytes = 0;
	request.on('data', (chunk: Buffer) => {
		bytes += chunk.length;
		if (bytes === size) done(parts ? Buffer.concat([...parts, chunk], size) : chunk);
		else if (parts) parts.push(chunk);
		else parts = [chunk];
	});
}
