/** The served OpenAPI document: its operations, and whether an answer is one that it tells of. */
import type { ErrorBody } from '@crowdvision/contracts';
import { checkAnswer } from '@crowdvision/testing/api-check';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Schema } from './schema-values.ts';

interface Content {
	content?: Record<string, { schema?: Schema }>;
}

export interface Operation {
	operationId: string;
	method: string;
	/** With parameters in braces. */
	path: string;
	parameters: { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: Schema }[];
	requestBody?: Content;
	responses: Record<string, Content>;
}

export interface Document {
	paths: Record<string, Record<string, Omit<Operation, 'method' | 'path' | 'parameters'> & Partial<Operation>>>;
}

export interface Answer {
	status: number;
	/** Without parameters. */
	type: string;
	text: string;
}

/** All operations, in the order of the document. */
export function operationsOf(document: Document): Operation[] {
	return Object.entries(document.paths).flatMap(([path, methods]) =>
		Object.entries(methods).map(([method, one]) => ({
			...one,
			method: method.toUpperCase(),
			path,
			parameters: one.parameters ?? [],
		})),
	);
}

/**
 * Operations that ask a server which is not ours, the identity provider that a domain's admin names: 503 `unavailable`
 * is their answer where that does not answer.
 */
const ASK_OTHERS = new Set(['get-auth-sso-domain', 'get-auth-sso-callback']);

/** Compares answers with the document. */
export class AnswerCheck {
	readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false });
	readonly #validators = new Map<string, ValidateFunction>();

	constructor(document: Document) {
		this.#ajv.addSchema(document, 'openapi.json');
	}

	/** What is wrong with an answer; undefined where it is one that the document tells of. */
	mistake(operation: Operation, path: string, answer: Answer): string | undefined {
		const { operationId, method, responses } = operation;
		const { status, type, text } = answer;
		if (status >= 500 && !(status === 503 && ASK_OTHERS.has(operationId)))
			return `answers ${status}: ${text.slice(0, 300)}`;
		const response = responses[status];
		if (!response)
			return `answers ${status}, and its document knows ${Object.keys(responses).join(', ')}: ${text.slice(0, 300)}`;
		if (!response.content)
			return text === '' || status === 302 ? undefined : `answers ${status} with a body: ${text.slice(0, 300)}`;
		if (!(type in response.content))
			return `answers ${status} as "${type}", not as ${Object.keys(response.content).join(', ')}`;
		const body: unknown = type === 'application/json' ? JSON.parse(text) : text;
		const validate = this.#validatorOf(operation, status, type);
		if (!validate(body))
			return `answers ${status} with ${this.#ajv.errorsText(validate.errors)}: ${text.slice(0, 300)}`;
		if (status < 400 || type === 'text/html') return undefined;
		try {
			checkAnswer(method, path, status, body as ErrorBody);
			return undefined;
		} catch (error) {
			return (error as Error).message;
		}
	}

	#validatorOf({ path, method }: Operation, status: number, type: string): ValidateFunction {
		const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema']
			.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
			.join('/');
		const known = this.#validators.get(pointer);
		const validate = known ?? this.#ajv.compile({ $ref: `openapi.json#/${pointer}` });
		this.#validators.set(pointer, validate);
		return validate;
	}
}
