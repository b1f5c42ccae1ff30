/** Reads the requests to `/ingest` that need express: other methods and paths, encoded and chunked bodies. */
import { CrowdVisionError } from '@crowdvision/contracts';
import {
	boundedBody,
	express,
	MAX_BODY_BYTES,
	type Request,
	type RequestHandler,
	type Response,
	Router,
} from '@crowdvision/service-kit';
import { CHALLENGES, type HttpSignIn } from '../../access/http-sign-in.ts';
import type { Decoders } from '../../decode/decoders.ts';
import { InflateError, inflate } from '../../decode/message/inflate.ts';
import { NDJSON_TYPE } from '../../frame.ts';
import { JSON_TYPE } from '../ndjson.ts';
import { mediaType, type Post, ruleOf, type TakePost, targetOf } from './post.ts';

export interface ExpressPostsParts {
	signIn: HttpSignIn;
	decoders: Decoders;
	take: TakePost;
}

/** The routes of `/ingest`. They take every request, also those that `PlainPosts` would have taken. */
export function expressPosts({ signIn, decoders, take }: ExpressPostsParts): Router {
	const router = Router();
	const body = [keepDeflated, boundedBody(express.raw({ type: () => true, limit: MAX_BODY_BYTES })), inflateBody];
	const ingest = async (request: Request, response: Response): Promise<void> => {
		const sender = await signIn.sender(request, request.ip ?? '').catch((error: Error) => {
			response.set('WWW-Authenticate', CHALLENGES);
			throw error;
		});
		const { name } = request.params;
		const post: Post = {
			...targetOf(typeof name === 'string' ? name : undefined, request.query),
			sender,
			address: request.ip,
			type: mediaType(request.headers['content-type']),
			body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
		};
		const answer = await new Promise<object>((resolve, reject) => {
			take(post, (error, accepted, rejected) =>
				error ? reject(error) : resolve({ accepted, ...(rejected && { rejected }) }),
			);
		});
		response.status(202).json(answer);
	};
	router.post('/ingest', checkMediaType(decoders), ...body, ingest);
	// The body may be of any type: the rule of the path reads it.
	router.post('/ingest/:name', ...body, ingest);
	router.all(['/ingest', '/ingest/:name'], (request, response) => {
		const { name } = request.params;
		if (typeof name === 'string') ruleOf(decoders, name);
		response.set('Allow', 'POST');
		throw new CrowdVisionError('method_not_allowed', `/ingest accepts POST, not ${request.method}`);
	});
	return router;
}

const DEFLATED = Symbol('deflated');
type MaybeDeflated = Request & { [DEFLATED]?: true };

/**
 * Has a body of `Content-Encoding: deflate` read as it is: express only inflates it with zlib's framing, as RFC 9110
 * section 8.4.1.2 has it, but some clients leave the framing out.
 */
const keepDeflated: RequestHandler = (request: MaybeDeflated, _response, next) => {
	if (request.headers['content-encoding']?.trim().toLowerCase() === 'deflate') {
		delete request.headers['content-encoding'];
		request[DEFLATED] = true;
	}
	next();
};

/** @throws CrowdVisionError `too_large`, `bad_request` */
const inflateBody: RequestHandler = (request: MaybeDeflated, _response, next) => {
	if (request[DEFLATED] && Buffer.isBuffer(request.body)) {
		try {
			request.body = inflate(request.body);
		} catch (error) {
			if (!(error instanceof InflateError)) throw error;
			throw new CrowdVisionError(error.tooLarge ? 'too_large' : 'bad_request', `The body ${error.problem.message}`);
		}
	}
	next();
};

function checkMediaType(decoders: Decoders): RequestHandler {
	return (request, _response, next) => {
		const type = mediaType(request.headers['content-type']);
		const allowed = new Set([JSON_TYPE, NDJSON_TYPE, ...decoders.contentTypes()]);
		if (!allowed.has(type)) {
			throw new CrowdVisionError(
				'unsupported_media_type',
				`Content-Type is ${type.slice(0, 100)}, but must be one of ${[...allowed].join(', ')}`,
			);
		}
		next();
	};
}
