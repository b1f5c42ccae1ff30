/** Declares options of gateway.yaml with their defaults, and fills the defaults in. */
import Type, { type Static, type TObject, type TOptional, type TProperties, type TSchema } from 'typebox';

/** An option of gateway.yaml that may be left out, with the value it then has. */
type Defaulted<T extends TSchema> = TOptional<T> & { default: Static<T> };

/** The properties of a schema as they are once the defaults are filled in: those with a default are never missing. */
type Filled<P extends TProperties> = Static<TObject<P>> & {
	[K in keyof P as P[K] extends { default: unknown } ? K : never]-?: Static<P[K]>;
};

/**
 * Declares an option that may be left out. The validator, the example, the documentation and the gateway itself all
 * take the default from here.
 * @param purpose what the option is for; which values are allowed, the schema says
 */
export function option<T extends TSchema>(schema: T, value: Static<T>, purpose?: string): Defaulted<T> {
	return Type.Optional({ ...schema, ...purposeOf(schema, purpose), default: value }) as unknown as Defaulted<T>;
}

/** Declares an option that may be left out, and then has no value. */
export function withoutDefault<T extends TSchema>(schema: T, purpose: string): TOptional<T> {
	return Type.Optional({ ...schema, ...purposeOf(schema, purpose) }) as unknown as TOptional<T>;
}

/** Of a text with a pattern, `description` says what is allowed, also in error messages; its purpose is the title. */
function purposeOf(schema: TSchema & { pattern?: string }, purpose: string | undefined): object {
	if (purpose === undefined) return {};
	return schema.pattern === undefined ? { description: purpose } : { title: purpose };
}

/** A section of gateway.yaml with the defaults of what it leaves out. Sections inside it are filled by themselves. */
export function filled<P extends TProperties>(schema: TObject<P>, section: Static<TObject<P>> | undefined): Filled<P> {
	const whole: Record<string, unknown> = { ...(section as object | undefined) };
	for (const [key, { default: value }] of Object.entries(schema.properties as Record<string, { default?: unknown }>))
		if (value !== undefined) whole[key] ??= value;
	return whole as Filled<P>;
}
