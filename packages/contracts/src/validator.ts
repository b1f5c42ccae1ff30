import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';

/** A mistake in a value: its place (a JSON Pointer, RFC 6901; '' is the whole value) and what is allowed there. */
export interface Problem {
	path: string;
	message: string;
}

/** A schema as a type guard, a finder of mistakes, and JSON Schema. */
export interface Validator<T> {
	readonly schema: TSchema;
	check(value: unknown): value is T;
	/** The first mistake, or undefined for a valid value. Slow: call it only after `check` returned false. */
	problem(value: unknown): Problem | undefined;
	/** All mistakes, at most 50. */
	problems(value: unknown): Problem[];
}

const MAX_PROBLEMS = 50;
/** TypeBox reports an unknown key up to twice, and stops here; its default of 8 may hide all that has words. */
const MAX_ERRORS = 2 * MAX_PROBLEMS;
/** Of a value that is wrong in no way that can be told. A wrong value is never without a problem. */
const WRONG: Problem = { path: '', message: 'is not allowed here' };

/** Compiles `schema` at its first use, so that a process pays only for the schemas it uses. */
export function validator<S extends TSchema>(schema: S): Validator<Static<S>> {
	let compiled: ReturnType<typeof Compile> | undefined;
	const get = () => {
		compiled ??= Compile(schema) as ReturnType<typeof Compile>;
		return compiled;
	};
	const problems = (value: unknown): Problem[] => {
		Settings.Set({ maxErrors: MAX_ERRORS });
		const found = get()
			.Errors(value)
			.flatMap((error) => describeError(error, schema));
		return found.length > 0 ? found.slice(0, MAX_PROBLEMS) : [WRONG];
	};
	return {
		schema,
		check: (value): value is Static<S> => get().Check(value),
		problem: (value) => (get().Check(value) ? undefined : problems(value)[0]),
		problems: (value) => (get().Check(value) ? [] : problems(value)),
	};
}

/** A validator that also finds mistakes that a schema cannot express; those without a message are none. */
export function checked<T>(
	base: Validator<T>,
	find: (value: T) => readonly { path: string; message: string | undefined }[],
): Validator<T> {
	const more = (value: T): Problem[] =>
		find(value).flatMap(({ path, message }) => (message === undefined ? [] : [{ path, message }]));
	const problems = (value: unknown) => (base.check(value) ? more(value) : base.problems(value));
	return {
		schema: base.schema,
		check: (value): value is T => base.check(value) && more(value).length === 0,
		problem: (value) => problems(value)[0],
		problems,
	};
}

const EXTRA = '/additionalProperties';

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
	const given = params as Record<string, string[] | undefined>;
	const rule = ruleAt(schema, schemaPath);
	// Instead of a regular expression, show the schema's description, also for a value of the wrong type.
	if (rule.pattern !== undefined && rule.description !== undefined)
		return [{ path: instancePath, message: `must be ${rule.description}` }];
	switch (keyword) {
		case 'required':
			return (given.requiredProperties ?? []).map((missing) => ({
				path: `${instancePath}/${escapeKey(missing)}`,
				message: 'is required',
			}));
		case 'additionalProperties':
			// Each of them was reported by itself before, as `boolean`.
			return [];
		case 'boolean': {
			if (!schemaPath.endsWith(EXTRA)) return [{ path: instancePath, message }];
			const { properties = {} } = ruleAt(schema, schemaPath.slice(0, -EXTRA.length));
			return [{ path: instancePath, message: `is not known here; known are ${Object.keys(properties).join(', ')}` }];
		}
		case 'enum':
			return [{ path: instancePath, message: `must be one of ${given.allowedValues?.join(', ')}` }];
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

/** Escapes a key as a part of a JSON Pointer. */
export function escapeKey(key: string): string {
	return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
