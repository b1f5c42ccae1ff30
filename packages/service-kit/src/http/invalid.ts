/** Errors for documents that do not follow their schema. */
import { CrowdVisionError, type ErrorBody, type Problem, type Validator } from '@crowdvision/contracts';

/** Of a body with a key that is given twice. A plain error: body-parser writes a `status` of its own into it. */
export class AmbiguousBody extends Error {
	readonly type = 'entity.ambiguous';
	readonly problems: Problem[];

	constructor(problems: Problem[]) {
		super('a key is given twice');
		this.problems = problems;
	}
}

/**
 * Validates a request body.
 * @throws CrowdVisionError `invalid` with path and message of the first mistake.
 */
export function parseBody<T>(validator: Validator<T>, body: unknown): T {
	if (validator.check(body)) return body;
	throw invalid(validator.problems(body));
}

/** The error for an invalid document: the message describes the first mistake, `problems` lists them all. */
export function invalid(problems: Problem[]): CrowdVisionError {
	const [first] = problems;
	const details: Omit<ErrorBody['error'], 'code' | 'message'> = { problems };
	if (first) details.path = first.path;
	return new CrowdVisionError(
		'invalid',
		first ? `${first.path || 'the document'} ${first.message}` : 'The document is not valid',
		details,
	);
}
