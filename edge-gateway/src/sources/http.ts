import { CrowdVisionError } from '@crowdvision/contracts';
import { bearerToken, express, type RequestHandler, Router } from '@crowdvision/service-kit';
import type { Credentials } from '../access/credentials.ts';
import type { Decoders } from '../decode/decoders.ts';
import { textOf } from '../decode/message/json.ts';
import type { Devices } from '../devices/devices.ts';
import { type Deliver, deliverTo, type Frame, type Take } from '../frame.ts';
import type { Intake } from '../intake/intake.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Source } from './source.ts';

const MAX_BODY = 1024 * 1024;
const JSON_TYPE = 'application/json';
export const NDJSON_TYPE = 'application/x-ndjson';

/**
 * `POST /ingest`: a reading, an array of readings, one per line, or what a decoder reads. The whole batch is stored or
 * none of it.
 */
export class HttpSource implements Source {
	readonly router: Router;
	#deliver: Deliver | undefined;

	constructor(parts: {
		credentials: Credentials;
		devices: Devices;
		decoders: Decoders;
		rateLimits: RateLimits;
		refuse: Intake['refuse'];
	}) {
		const { credentials, devices, decoders, rateLimits, refuse } = parts;
		this.router = Router();
		const ingest: RequestHandler = async (request, response) => {
			const sender = await credentials.sender(bearerToken(request));
			if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
			// Before anything is read or kept of it: what is too fast costs nothing, whatever is in it.
			rateLimits.take('http', sender.id, request.ip);
			const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
			const type = mediaType(request.headers['content-type']);
			const decodeBy = decoders.forContentType(type);
			const source = decodeBy ? `POST /ingest ${type}` : 'POST /ingest';
			const frame: Frame = { transport: 'http', source, sender, context: onlySensor(sender.sensorIds), raw, decodeBy };
			if (type !== JSON_TYPE) frame.contentType = type;
			if (type === NDJSON_TYPE && !decodeBy) {
				try {
					frame.parsed = parseLines(raw);
				} catch (error) {
					if (error instanceof CrowdVisionError) await refuse(frame, error);
					throw error;
				}
			}
			const accepted = await this.#deliver(frame);
			devices.heard(sender.id, sender.domainName, 'http', accepted);
			response.status(202).json({ accepted });
		};
		this.router.post('/ingest', checkMediaType(decoders), express.raw({ type: () => true, limit: MAX_BODY }), ingest);
		this.router.all('/ingest', (request, response) => {
			response.set('Allow', 'POST');
			throw new CrowdVisionError('method_not_allowed', `/ingest takes POST, not ${request.method}`);
		});
	}

	async start(take: Take): Promise<void> {
		this.#deliver = deliverTo(take);
	}

	async stop(): Promise<void> {
		this.#deliver = undefined;
	}
}

function onlySensor(sensorIds: ReadonlySet<string> | undefined): { onlySensorId?: string } {
	if (sensorIds?.size !== 1) return {};
	const [onlySensorId] = sensorIds;
	return onlySensorId === undefined ? {} : { onlySensorId };
}

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

/** NDJSON: one JSON value a line; empty lines are skipped. @throws CrowdVisionError `not_json` */
export function parseLines(raw: Buffer): unknown[] {
	const values: unknown[] = [];
	for (const [number, line] of textOf(raw).split('\n').entries()) {
		if (line.trim() === '') continue;
		try {
			values.push(JSON.parse(line));
		} catch {
			throw new CrowdVisionError('not_json', `Line ${number + 1} is not valid JSON`, { index: values.length });
		}
	}
	return values;
}
