/** The HTTP source: takes readings that devices post. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Logger, Router, Site } from '@crowdvision/service-kit';
import type { HttpSignIn } from '../../access/http-sign-in.ts';
import type { Decoders } from '../../decode/decoders.ts';
import type { Devices } from '../../devices/devices.ts';
import { type Completion, type Frame, NDJSON_TYPE, type Take } from '../../frame.ts';
import type { Intake } from '../../intake/intake.ts';
import type { SenderLimits } from '../../limits/sender-limits.ts';
import { parseNdjson } from '../ndjson.ts';
import type { Source } from '../source.ts';
import { expressPosts } from './express-posts.ts';
import { PlainPosts } from './plain-posts.ts';
import { frameOf, type OnPosted, type Post } from './post.ts';

export interface HttpParts {
	signIn: HttpSignIn;
	devices: Devices;
	decoders: Decoders;
	senderLimits: SenderLimits;
	refuse: Intake['refuse'];
	/** Takes what repeats itself without parsing it; asked by `Take` too, but for NDJSON. */
	shapes: { take(frame: Frame, onDurable: Completion): boolean };
	site: Pick<Site, 'expressAddressOf'>;
	logger: Logger;
}

/**
 * Readings over HTTP: `POST /ingest` takes one, an array, NDJSON, or a body of a type that a decoder is configured for;
 * `POST /ingest/{path}` what the rule of that path reads. An array is stored as a whole or not at all, unless
 * `?partial=1`.
 *
 *   node:http ─▶ plain posts ────────┬─▶ sign-in ─▶ limits ─▶ intake ─▶ answer when durable
 *                    └─▶ express ─▶ router ┘
 */
export class HttpSource implements Source {
	/** Takes every request to `/ingest`. */
	readonly router: Router;
	readonly #plain: PlainPosts;
	readonly #parts: HttpParts;
	#take: Take | undefined;

	constructor(parts: HttpParts) {
		const { signIn, decoders, site, logger } = parts;
		const take = (post: Post, done: OnPosted) => this.#post(post, done);
		this.#parts = parts;
		this.router = expressPosts({ signIn, decoders, take });
		this.#plain = new PlainPosts({ signIn, decoders, take, site, logger });
	}

	async start(take: Take): Promise<void> {
		this.#take = take;
	}

	async stop(): Promise<void> {
		this.#take = undefined;
	}

	/** Takes a request that needs no express. False: it was not touched, and is for `router`. */
	takePlain(request: IncomingMessage, response: ServerResponse): boolean {
		return this.#plain.take(request, response);
	}

	#post(post: Post, done: OnPosted): void {
		try {
			const { decoders, senderLimits } = this.#parts;
			if (!this.#take) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
			// Before the body is parsed: a sender that is too fast must cost nothing, and fill no list of refusals.
			senderLimits.take('http', post.sender.id, post.address);
			const frame = frameOf(post, decoders);
			const isLines = post.type === NDJSON_TYPE && !frame.decodeBy;
			if (isLines && this.#takeByShapes(frame, done)) return;
			if (isLines && !this.#parseLines(frame, done)) return;
			this.#deliver(frame, this.#take, done);
		} catch (error) {
			done(error as Error, 0);
		}
	}

	#deliver(frame: Frame, take: Take, done: OnPosted): void {
		take(frame, this.#answerTo(frame, done));
	}

	/** Takes NDJSON without parsing it, if all of its readings have shapes. False: nothing has happened. */
	#takeByShapes(frame: Frame, done: OnPosted): boolean {
		return this.#parts.shapes.take(frame, this.#answerTo(frame, done));
	}

	#answerTo(frame: Frame, done: OnPosted): Completion {
		const { id, domainName } = frame.sender;
		return (error, accepted) => {
			if (error) return done(error, 0);
			this.#parts.devices.received(id, domainName, 'http', accepted);
			done(undefined, accepted, frame.rejected);
		};
	}

	/** False: the lines are refused as a whole. */
	#parseLines(frame: Frame, done: OnPosted): boolean {
		try {
			frame.parsed = parseNdjson(frame.raw, frame.partial);
			return true;
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) throw error;
			this.#parts.refuse(frame, error).catch((refusal: Error) => done(refusal, 0));
			return false;
		}
	}
}
