/** Checks the answers of services against the API document. */
import { ERRORS, type ErrorBody, validator } from '@crowdvision/contracts';
import { errorsOf, OPERATIONS, type Operation } from '@crowdvision/contracts/api';
import type { TSchema } from 'typebox';

interface Known {
	operation: Operation;
	pattern: RegExp;
}

const KNOWN: Known[] = Object.values(OPERATIONS)
	.flat()
	.map((operation) => ({
		operation,
		pattern: new RegExp(`^${operation.path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
	}))
	// What is spelled out goes before a parameter.
	.sort((a, b) => a.operation.path.split('{').length - b.operation.path.split('{').length);

const validators = new Map<TSchema, ReturnType<typeof validator>>();

/**
 * Holds an answer against the API document, so that every test of a service tests the document as well.
 * @throws Error for a status, an error code or a body that the document does not tell of. What no operation matches
 * passes: probes, and 404s.
 */
export function checkAnswer(method: string, path: string, status: number, body: unknown): void {
	const [bare] = path.split('?');
	const operation = KNOWN.find(
		(one) => one.operation.method === method.toLowerCase() && one.pattern.test(bare!),
	)?.operation;
	if (!operation) return;
	const told = `${method} ${bare} answered ${status}`;
	if (status >= 400) {
		checkError(operation, told, status, body as ErrorBody);
		return;
	}
	const answer = operation.answers[status];
	if (!answer) throw new Error(`${told}, but its document knows only ${Object.keys(operation.answers).join(', ')}`);
	if (!answer.schema) return;
	const check = validators.get(answer.schema) ?? validator(answer.schema);
	validators.set(answer.schema, check);
	const [problem] = check.problems(body);
	if (problem)
		throw new Error(`${told} with a body that its document does not tell of: ${problem.path} ${problem.message}`);
}

function checkError(operation: Operation, told: string, status: number, body: ErrorBody): void {
	const code = body?.error?.code;
	if (!(code in ERRORS) || ERRORS[code].status !== status)
		throw new Error(`${told} without a code of the error table: ${JSON.stringify(body)}`);
	if (!errorsOf(operation).includes(code)) throw new Error(`${told} with ${code}, which its document does not tell of`);
}
