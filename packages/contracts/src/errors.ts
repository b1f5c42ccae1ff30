/**
 * The table of errors: code, HTTP status, meaning, what to do. docs/errors.md is generated from it. `retry`: the same
 * request may succeed later.
 */
export const ERRORS = {
	bad_request: {
		status: 400,
		means: 'The request is not one that this endpoint accepts.',
		todo: 'Correct what `message` and `path` name.',
	},
	not_json: {
		status: 400,
		means: 'The body is not JSON, or not in the format of its content type.',
		todo: 'Send valid JSON or NDJSON.',
	},
	not_decoded: {
		status: 400,
		means:
			'The payload is not in the format that its topic or content type requires, or the mapping of its rule fails.',
		todo: 'Correct the payload, or the rule in `decoders` of gateway.yaml; `message` says what is wrong and where.',
	},
	unauthenticated: {
		status: 401,
		means: 'There is no token, or it is expired, revoked or foreign.',
		todo: 'Sign in again, or give the device a new token.',
	},
	wrong_credentials: { status: 401, means: 'The e-mail or the password is wrong.', todo: 'Check both.' },
	forbidden: {
		status: 403,
		means: 'The token is valid, but does not cover this.',
		todo: 'Use a token whose scope or role covers it.',
	},
	not_admitted: {
		status: 403,
		means: 'The gateway does not admit this sensor: its configuration excludes it, or another sensor replaced it.',
		todo: 'Change devices.allow or devices.deny of gateway.yaml, or adopt the sensor again.',
	},
	not_found: { status: 404, means: 'It does not exist, or you may not know of it.', todo: 'Check the id.' },
	method_not_allowed: {
		status: 405,
		means: 'This path does not support that method.',
		todo: 'Use a method of the `Allow` header.',
	},
	conflict: {
		status: 409,
		means: 'It exists already, or somebody else changed it meanwhile.',
		todo: 'Read it again and repeat.',
	},
	changed_meanwhile: {
		status: 412,
		means: 'It does not match `If-Match`: somebody else changed it.',
		todo: 'Read it again, check what changed, and repeat with the new ETag.',
	},
	too_large: { status: 413, means: 'The body is larger than allowed.', todo: 'Split it: 1 MiB at most.' },
	unsupported_media_type: {
		status: 415,
		means: 'This endpoint does not accept this content type.',
		todo: 'Use one that `message` lists.',
	},
	invalid_reading: {
		status: 422,
		means: 'A reading breaks a rule. Of an array the whole was refused; of other messages only what is in `rejected`.',
		todo: 'Correct the reading at `index` where `path` points.',
	},
	no_value: {
		status: 422,
		means: 'The reading has no value: it is missing, null, NaN, or a word such as `unavailable`.',
		todo: 'Check the sensor; leave out readings of what was not measured.',
	},
	unknown_sensor: {
		status: 422,
		means: 'The reading does not name its room, and the sensor is not registered.',
		todo: 'Register the sensor, or send buildingId and roomId.',
	},
	invalid: {
		status: 422,
		means: 'The document breaks a rule; nothing was stored.',
		todo: 'Correct what `path` names.',
	},
	rate_limited: { status: 429, means: 'Too many requests.', todo: 'Wait for `Retry-After` seconds.', retry: true },
	internal: { status: 500, means: 'A mistake in the program.', todo: 'Look for `requestId` in the log.', retry: true },
	log_full: {
		status: 503,
		means: 'The gateway holds as much undelivered data as it may.',
		todo: 'Wait for `Retry-After` seconds; see log.maxBytes.',
		retry: true,
	},
	unavailable: {
		status: 503,
		means: 'A part that this needs cannot be reached.',
		todo: 'Wait; `/readyz` says which part.',
		retry: true,
	},
} as const satisfies Record<string, { status: number; means: string; todo: string; retry?: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** A part of a message that was refused; the other parts were taken. */
export interface RejectedPart {
	/** Of the reading in the batch; 0 for a single message. */
	index: number;
	/** JSON Pointer to the mistake in it. */
	path: string;
	code: ErrorCode;
	/** Names metric, value and what is allowed. */
	message: string;
}

/** The body of every error of every service. */
export interface ErrorBody {
	error: {
		code: ErrorCode;
		message: string;
		index?: number;
		path?: string;
		problems?: { path: string; message: string }[];
		rejected?: RejectedPart[];
		requestId?: string;
	};
}

/**
 * An error with a code of the table. `message` is for people and is sent to the client: it must not contain a secret or
 * a stack trace.
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
