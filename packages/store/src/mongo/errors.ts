/** What errors of the MongoDB driver mean to callers of the store. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { Error as MongooseErrors, mongo } from 'mongoose';

/**
 * Error codes of a server that cannot serve the request now, with their meaning for a person where that is more than
 * being unreachable.
 */
const NOT_NOW: Record<number, string> = {
	6: '',
	7: '',
	11: '',
	13: 'does not let this user do that',
	18: 'does not accept this user or password',
	24: '',
	50: 'did not answer in time',
	64: 'did not confirm in time',
	89: '',
	91: '',
	112: 'has too many changes of the same document',
	189: '',
	251: '',
	262: 'did not answer in time',
	365: '',
	8000: 'does not accept this user or password',
	9001: '',
	10107: '',
	11600: '',
	11601: '',
	11602: '',
	13435: '',
	13436: '',
	14031: 'has no room left on its disk',
};
/** The codes among them that waiting does not help against. */
const REFUSED_USER = [13, 18, 8000];
const LABELS = [
	'RetryableWriteError',
	'TransientTransactionError',
	'UnknownTransactionCommitResult',
	'ResumableChangeStreamError',
];

const AWAY = [
	mongo.MongoNetworkError,
	mongo.MongoServerSelectionError,
	MongooseErrors.MongooseServerSelectionError,
	mongo.MongoNotConnectedError,
	mongo.MongoTopologyClosedError,
	mongo.MongoExpiredSessionError,
	mongo.MongoWriteConcernError,
	mongo.MongoOperationTimeoutError,
];

/** The error that broke a bulk write, such as a lost connection: the wrapping error lacks its labels. */
function unwrapped(error: unknown): unknown {
	const inner = error instanceof mongo.MongoBulkWriteError ? (error.errorResponse as unknown) : undefined;
	return inner instanceof mongo.MongoError ? inner : error;
}

/**
 * Why the server cannot serve a request now, as the rest of a sentence that begins with "the database"; undefined where
 * the request itself is at fault. Never contains a host or a password.
 */
export function notNow(thrown: unknown): string | undefined {
	const error = unwrapped(thrown);
	if (error instanceof mongo.MongoDriverError && error.name === 'MongoWaitQueueTimeoutError')
		return 'has too many requests waiting';
	if (error instanceof mongo.MongoServerError) {
		const meaning = NOT_NOW[error.code as number];
		if (meaning) return meaning;
		if (meaning === '' || LABELS.some((label) => error.hasErrorLabel(label))) return 'cannot be reached';
	}
	return AWAY.some((kind) => error instanceof kind) ? 'cannot be reached' : undefined;
}

/** Why the server refuses this user, after "MongoDB at <host>"; undefined if it does not. */
export const refusedUser = (error: unknown): string | undefined =>
	error instanceof mongo.MongoServerError && REFUSED_USER.includes(error.code as number)
		? NOT_NOW[error.code as number]
		: undefined;

/**
 * The error that a caller of the store gets for an error of the driver: `unavailable` where the server is the reason.
 * Any other error is returned as it is, since it is a mistake in the program.
 */
export function storeError(error: unknown): unknown {
	const trouble = notNow(error);
	return trouble === undefined ? error : new CrowdVisionError('unavailable', `The database ${trouble}`, {}, 1);
}

export const isDuplicate = (error: unknown): error is InstanceType<typeof mongo.MongoServerError> =>
	error instanceof mongo.MongoServerError && error.code === 11000;

/** The name of the unique index that refused a write. */
export function indexOf(error: InstanceType<typeof mongo.MongoServerError>): string | undefined {
	return / index: (\S+) dup key/.exec(error.message)?.[1];
}

export function hasLabel(thrown: unknown, label: string): boolean {
	const error = unwrapped(thrown);
	return error instanceof mongo.MongoError && error.hasErrorLabel(label);
}
