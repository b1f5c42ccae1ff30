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
			.flatMap((error) => describeError(error, schema))
			.slice(0, MOST_PROBLEMS);
	return {
		schema,
		check: (value): value is Static<S> => get().Check(value),
		problem: (value) => (get().Check(value) ? undefined : problems(value)[0]),
		problems: (value) => (get().Check(value) ? [] : problems(value)),
	};
}

interface SchemaError {
	keyword: string;
	schemaPath: string;
	instancePath: string;
	params: unknown;
	message: string;
}

function describeError(
	{ keyword, schemaPath, instancePath, params, message }: SchemaError,
	schema: TSchema,
): Problem[] {
	const told = params as Record<string, string[] | undefined>;
	const rule = ruleAt(schema, schemaPath);
	// A regular expression is for machines; the schema says the same in words, for a value of the wrong type as well.
	if (rule.pattern !== undefined && rule.description !== undefined)
		return [{ path: instancePath, message: `must be ${rule.description}` }];
	switch (keyword) {
		case 'required':
			return (told.requiredProperties ?? []).map((missing) => ({
				path: `${instancePath}/${escapeKey(missing)}`,
				message: 'is required',
			}));
		case 'additionalProperties': {
			const known = Object.keys(rule.properties ?? {}).join(', ');
			return (told.additionalProperties ?? []).map((extra) => ({
				path: `${instancePath}/${escapeKey(extra)}`,
				message: `is not known here; known are ${known}`,
			}));
		}
		case 'boolean':
			// `additionalProperties: false`, told once more from the inside.
			return schemaPath.endsWith('/additionalProperties') ? [] : [{ path: instancePath, message }];
		case 'enum':
			return [{ path: instancePath, message: `must be one of ${told.allowedValues?.join(', ')}` }];
		default:
			return [{ path: instancePath, message }];
	}
}

/** The schema at a pointer such as `#/properties/sensorId`. */
function ruleAt(schema: TSchema, pointer: string): { description?: string; pattern?: string; properties?: object } {
	let rule: unknown = schema;
	for (const key of pointer.split('/').slice(1)) rule = (rule as Record<string, unknown> | undefined)?.[key];
	return rule ?? {};
}

/** A key as a part of a JSON Pointer. */
export function escapeKey(key: string): string {
	return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
