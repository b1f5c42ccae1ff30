import { CrowdVisionError } from '@crowdvision/contracts';
import {
	bearerToken,
	express,
	type Request,
	type RequestHandler,
	type Response,
	Router,
} from '@crowdvision/service-kit';
import type { Credentials } from '../access/credentials.ts';
import type { Decoders } from '../decode/decoders.ts';
import type { Devices } from '../devices/devices.ts';
import { type Deliver, deliverTo, type Frame, type Take } from '../frame.ts';
import type { Intake } from '../intake/intake.ts';
import type { SenderLimits } from '../limits/sender-limits.ts';
import { NDJSON_TYPE, parseNdjson } from './ndjson.ts';
import type { Source } from './source.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const JSON_TYPE = 'application/json';

interface HttpParts {
	credentials: Credentials;
	devices: Devices;
	decoders: Decoders;
	senderLimits: SenderLimits;
	refuse: Intake['refuse'];
}

/**
 * Readings over HTTP: `POST /ingest` takes one, an array, NDJSON, or a body of a type that a decoder is configured for.
 * A body is stored as a whole or not at all.
 */
export class HttpSource implements Source {
	readonly router: Router;
	readonly #parts: HttpParts;
	#deliver: Deliver | undefined;

	constructor(parts: HttpParts) {
		this.#parts = parts;
		this.router = Router();
		const rawBody = express.raw({ type: () => true, limit: MAX_BODY_BYTES });
		this.router.post('/ingest', checkMediaType(parts.decoders), rawBody, (request, response) =>
			this.#ingest(request, response),
		);
		this.router.all('/ingest', (request, response) => {
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
		const { credentials, devices, decoders, senderLimits, refuse } = this.#parts;
		const sender = await credentials.sender(bearerToken(request));
		if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
		// Before the body is parsed: a sender that is too fast must cost nothing, and fill no list of refusals.
		senderLimits.take('http', sender.id, request.ip);
		const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
		const type = mediaType(request.headers['content-type']);
		const decodeBy = decoders.forContentType(type);
		const source = decodeBy ? `POST /ingest ${type}` : 'POST /ingest';
		const frame: Frame = { transport: 'http', source, sender, context: onlySensor(sender.sensorIds), raw, decodeBy };
		if (type !== JSON_TYPE) frame.contentType = type;
		if (type === NDJSON_TYPE && !decodeBy) {
			try {
				frame.parsed = parseNdjson(raw);
			} catch (error) {
				if (error instanceof CrowdVisionError) await refuse(frame, error);
				throw error;
			}
		}
		const accepted = await this.#deliver(frame);
		devices.received(sender.id, sender.domainName, 'http', accepted);
		response.status(202).json({ accepted });
	}
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
