/** The HTTP source: takes readings that devices post. */
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
import { CHALLENGES, type HttpSignIn } from '../access/http-sign-in.ts';
import type { DecodeBy, Decoders } from '../decode/decoders.ts';
import { InflateError, inflate } from '../decode/message/inflate.ts';
import type { Devices } from '../devices/devices.ts';
import { type Deliver, deliverTo, type Frame, type Take } from '../frame.ts';
import type { Intake } from '../intake/intake.ts';
import type { SenderLimits } from '../limits/sender-limits.ts';
import { JSON_TYPE, NDJSON_TYPE, parseNdjson } from './ndjson.ts';
import type { Source } from './source.ts';

/** How many are named to a sender that asks for another. */
const MAX_NAMED_PATHS = 20;

interface HttpParts {
	signIn: HttpSignIn;
	devices: Devices;
	decoders: Decoders;
	senderLimits: SenderLimits;
	refuse: Intake['refuse'];
}

/**
 * Readings over HTTP: `POST /ingest` takes one, an array, NDJSON, or a body of a type that a decoder is configured for;
 * `POST /ingest/{path}` what the rule of that path reads. An array is stored as a whole or not at all, unless
 * `?partial=1`.
 */
export class HttpSource implements Source {
	readonly router: Router;
	readonly #parts: HttpParts;
	#deliver: Deliver | undefined;

	constructor(parts: HttpParts) {
		this.#parts = parts;
		this.router = Router();
		const body = [keepDeflated, boundedBody(express.raw({ type: () => true, limit: MAX_BODY_BYTES })), inflateBody];
		this.router.post('/ingest', checkMediaType(parts.decoders), ...body, (request, response) =>
			this.#ingest(request, response),
		);
		// The body may be of any type: the rule of the path reads it.
		this.router.post('/ingest/:name', ...body, (request, response) => this.#ingest(request, response));
		this.router.all(['/ingest', '/ingest/:name'], (request, response) => {
			const { name } = request.params;
			if (typeof name === 'string') ruleOf(parts.decoders, name);
			response.set('Allow', 'POST');
			throw new CrowdVisionError('method_not_allowed', `/ingest accepts POST, not ${request.method}`);
		});
	}

	async start(take: Take): Promise<void> {
		this.#deliver = deliverTo(take);
	}

	async stop(): Promise<void> {
		this.#deliver = undefined;
	}

	async #ingest(request: Request, response: Response): Promise<void> {
		const { signIn, devices, decoders, senderLimits, refuse } = this.#parts;
		const sender = await signIn.sender(request, request.ip ?? '').catch((error: Error) => {
			response.set('WWW-Authenticate', CHALLENGES);
			throw error;
		});
		if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
		// Before the body is parsed: a sender that is too fast must cost nothing, and fill no list of refusals.
		senderLimits.take('http', sender.id, request.ip);
		const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
		const type = mediaType(request.headers['content-type']);
		const { name } = request.params;
		const decodeBy = typeof name === 'string' ? ruleOf(decoders, name) : decoders.forContentType(type);
		const source = sourceOf(request, type, decodeBy !== undefined);
		const frame: Frame = { transport: 'http', source, sender, context: onlySensor(sender.sensorIds), raw, decodeBy };
		if (isPartial(request)) frame.partial = true;
		// What a replay looks up: JSON is what a request without a type is, unless a rule is for that type.
		if (type !== JSON_TYPE || decodeBy) frame.contentType = type;
		if (type === NDJSON_TYPE && !decodeBy) {
			try {
				frame.parsed = parseNdjson(raw, frame.partial);
			} catch (error) {
				if (error instanceof CrowdVisionError) await refuse(frame, error);
				throw error;
			}
		}
		const accepted = await this.#deliver(frame);
		devices.received(sender.id, sender.domainName, 'http', accepted);
		const { rejected } = frame;
		response.status(202).json({ accepted, ...(rejected && { rejected }) });
	}
}

/** Whether what is sound of an array is to be taken. */
const isPartial = ({ query: { partial } }: Request): boolean => partial === '1' || partial === 'true';

/**
 * How a request is named in the rejected list and in rules: its path, which tells a replay its rule. ChirpStack says in
 * the query which event it is.
 */
function sourceOf({ params: { name }, query: { event } }: Request, type: string, isDecoded: boolean): string {
	if (typeof name !== 'string') return isDecoded ? `POST /ingest ${type}` : 'POST /ingest';
	return typeof event === 'string' && /^\w{1,32}$/.test(event)
		? `POST /ingest/${name}?event=${event}`
		: `POST /ingest/${name}`;
}

/** @throws CrowdVisionError `not_found` for a path without a rule */
function ruleOf(decoders: Decoders, name: string): DecodeBy {
	const decodeBy = decoders.forPath(name);
	if (decodeBy) return decodeBy;
	const paths = decoders.paths().slice(0, MAX_NAMED_PATHS);
	const known = paths.length > 0 ? `those that have one are ${paths.join(', ')}` : 'none has one';
	const message = `No entry of decoders in gateway.yaml has the path ${JSON.stringify(name.slice(0, 64))}; ${known}`;
	throw new CrowdVisionError('not_found', message);
}

/** The sensor of readings that name none, if the sender's token is for a single one. */
function onlySensor(sensorIds: ReadonlySet<string> | undefined): { onlySensorId?: string } {
	if (sensorIds?.size !== 1) return {};
	const [onlySensorId] = sensorIds;
	return onlySensorId === undefined ? {} : { onlySensorId };
}

/** The media type of a Content-Type, in lower case and without parameters; JSON for a request without one. */
function mediaType(header: string | undefined): string {
	return (header ?? JSON_TYPE).split(';', 1)[0]!.trim().toLowerCase();
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
