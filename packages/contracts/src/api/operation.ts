import type { TObject, TSchema } from 'typebox';
import type { Role } from '../account/roles.ts';
import type { ErrorCode } from '../errors.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/**
 * Who may do it: anybody, somebody signed in, a device by its token, or a member of the domain with this role at least.
 */
export type Who = 'anyone' | 'account' | 'device' | 'member' | Role;

/** One request of the HTTP API: what docs/api tells of it, and what tests hold every answer against. */
export interface Operation {
	method: Method;
	/** As it stands behind Caddy, prefix included; parameters in braces. */
	path: string;
	summary: string;
	/** What `summary` leaves open. */
	description?: string;
	who: Who;
	query?: TObject;
	request?: Content;
	/** By status: the answers that are no errors. */
	answers: Record<number, Answer>;
	/** Beyond those that every request of this kind may meet: `errorsOf` adds them. */
	errors?: readonly ErrorCode[];
}

export interface Content {
	schema: TSchema;
	/** `application/json` where it is left out. */
	types?: readonly string[];
}

export interface Answer {
	description: string;
	/** Absent: an answer without a body. */
	schema?: TSchema;
	type?: string;
}

const EVERYWHERE: readonly ErrorCode[] = ['rate_limited', 'internal', 'unavailable'];

/** Every error code that a client of this operation must expect. */
export function errorsOf({ who, query, request, path, errors = [] }: Operation): ErrorCode[] {
	const codes = new Set<ErrorCode>(errors);
	if (who !== 'anyone') codes.add('unauthenticated');
	if (who !== 'anyone' && who !== 'account') codes.add('forbidden');
	if (path.includes('{')) codes.add('not_found');
	if (query || request) codes.add('invalid');
	if (request) for (const code of ['not_json', 'too_large', 'unsupported_media_type'] as const) codes.add(code);
	for (const code of EVERYWHERE) codes.add(code);
	return [...codes];
}

/** The names in braces, in their order. */
export function parametersOf(path: string): string[] {
	return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
}
