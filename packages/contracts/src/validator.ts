import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

/** What is wrong with a value: where (a JSON Pointer, RFC 6901; '' is the whole value) and what is allowed there. */
export interface Problem {
	path: string;
	message: string;
}

/** One schema as a type guard, as a finder of mistakes and as JSON Schema. */
export interface Validator<T> {
	readonly schema: TSchema;
	check(value: unknown): value is T;
	/** The first mistake, or undefined for a valid value. Slow: call it only after `check` said no. */
	problem(value: unknown): Problem | undefined;
	/** Every mistake, at most 50. */
	problems(value: unknown): Problem[];
}

const MOST_PROBLEMS = 50;

/** Compiles `schema` at the first use, so that a process pays only for the schemas it meets. */
export function validator<S extends TSchema>(schema: S): Validator<Static<S>> {
	let compiled: ReturnType<typeof Compile> | undefined;
	const get = () => {
		compiled ??= Compile(schema) as ReturnType<typeof Compile>;
		return compiled;
	};
	const problems = (value: unknown): Problem[] =>
		get()
			.Errors(value)
			.slice(0, MOST_PROBLEMS)
			.map((error) => describeError(error));
	return {
		schema,
		check: (value): value is Static<S> => get().Check(value),
		problem: (value) => (get().Check(value) ? undefined : problems(value)[0]),
		problems: (value) => (get().Check(value) ? [] : problems(value)),
	};
}

interface SchemaError {
	keyword: string;
	instancePath: string;
	params: unknown;
	message: string;
}

function describeError(error: SchemaError): Problem {
	const params = error.params as Record<string, unknown>;
	switch (error.keyword) {
		case 'required': {
			const [missing] = (params.requiredProperties as string[]) ?? [];
			return { path: `${error.instancePath}/${missing ?? ''}`, message: 'is required' };
		}
		case 'additionalProperties': {
			const [extra] = (params.additionalProperties as string[]) ?? [];
			return { path: `${error.instancePath}/${extra ?? ''}`, message: 'is not known here' };
		}
		case 'enum':
			return {
				path: error.instancePath,
				message: `must be one of ${(params.allowedValues as unknown[]).join(', ')}`,
			};
		default:
			return { path: error.instancePath, message: error.message };
	}
}
