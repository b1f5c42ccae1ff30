/**
 * The one error table: code, HTTP status, what it means, what to do about it. docs/errors.md is generated from it.
 * `retry` says that the same request may succeed later.
 */
export const ERRORS = {
	bad_request: {
		status: 400,
		means: 'The request is not what this endpoint takes.',
		todo: 'Mend what `message` and `path` name.',
	},
	not_json: {
		status: 400,
		means: 'The body is not JSON, or not the format its content type names.',
		todo: 'Send valid JSON or NDJSON.',
	},
	not_decoded: {
		status: 400,
		means:
			'The payload is not the format that its topic or content type stands for, or the mapping of its rule fails on it.',
		todo: 'Mend the payload, or the rule in `decoders` of gateway.yaml; `message` says what was wrong and where.',
	},
	unauthenticated: {
		status: 401,
		means: 'No token, or one that is expired, revoked or not ours.',
		todo: 'Sign in again, or give the device a new token.',
	},
	wrong_credentials: { status: 401, means: 'The e-mail or the password is wrong.', todo: 'Check both.' },
	forbidden: {
		status: 403,
		means: 'The token is good, but does not cover this.',
		todo: 'Use a token whose scope or role covers it.',
	},
	not_admitted: {
		status: 403,
		means: 'The gateway does not take this sensor: its configuration keeps it out, or another sensor has its place.',
		todo: 'Change devices.allow or devices.deny of gateway.yaml, or adopt the sensor again.',
	},
	not_found: { status: 404, means: 'There is no such thing, or it is not yours to know of.', todo: 'Check the id.' },
	method_not_allowed: {
		status: 405,
		means: 'This path does not take that method.',
		todo: 'Use a method of the `Allow` header.',
	},
	conflict: {
		status: 409,
		means: 'It exists already, or was changed by somebody else meanwhile.',
		todo: 'Read it again and repeat.',
	},
	changed_meanwhile: {
		status: 412,
		means: 'It is not as `If-Match` says it is: somebody else changed it.',
		todo: 'Read it again, look at what changed, and repeat with the new ETag.',
	},
	too_large: { status: 413, means: 'The body is larger than allowed.', todo: 'Split it: 1 MiB at most.' },
	unsupported_media_type: {
		status: 415,
		means: 'The content type is not one this endpoint takes.',
		todo: 'Use one that `message` lists.',
	},
	invalid_reading: {
		status: 422,
		means: 'A reading breaks a rule; the whole batch was refused.',
		todo: 'Mend the reading at `index` where `path` points.',
	},
	unknown_sensor: {
		status: 422,
		means: 'The reading does not say its room, and the sensor is not registered.',
		todo: 'Register the sensor, or send buildingId and roomId.',
	},
	invalid: { status: 422, means: 'The document breaks a rule; nothing was stored.', todo: 'Mend what `path` names.' },
	rate_limited: { status: 429, means: 'Too many requests.', todo: 'Wait for `Retry-After` seconds.', retry: true },
	internal: { status: 500, means: 'A mistake of ours.', todo: 'Look for `requestId` in the log.', retry: true },
	log_full: {
		status: 503,
		means: 'The gateway holds as much undelivered data as it may.',
		todo: 'Wait for `Retry-After` seconds; see log.maxBytes.',
		retry: true,
	},
	unavailable: {
		status: 503,
		means: 'A part this needs cannot be reached.',
		todo: 'Wait; `/readyz` says which part.',
		retry: true,
	},
} as const satisfies Record<string, { status: number; means: string; todo: string; retry?: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** The body of every error of every service. */
export interface ErrorBody {
	error: {
		code: ErrorCode;
		message: string;
		index?: number;
		path?: string;
		problems?: { path: string; message: string }[];
		requestId?: string;
	};
}

/**
 * A refusal with a code of the table. `message` is for people and is sent to the client: never put a secret or a stack
 * in it.
 */
export class CrowdVisionError extends Error {
	readonly code: ErrorCode;
	readonly details: Omit<ErrorBody['error'], 'code' | 'message'>;
	/** Seconds after which the same request may succeed. */
	readonly retryAfter: number | undefined;

	constructor(
		code: ErrorCode,
		message: string,
		details: Omit<ErrorBody['error'], 'code' | 'message'> = {},
		retryAfter?: number,
	) {
		super(message);
		this.code = code;
		this.details = details;
		this.retryAfter = retryAfter;
	}

	get status(): number {
		return ERRORS[this.code].status;
	}

	toBody(): ErrorBody {
		return { error: { code: this.code, message: this.message, ...this.details } };
	}
}
