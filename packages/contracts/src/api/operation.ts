import type { TObject, TSchema } from 'typebox';
import type { Role } from '../account/roles.ts';
import type { ErrorCode } from '../errors.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Who may send a request: anybody, an account, a device with its token, or a domain member with at least this role. */
export type Who = 'anyone' | 'account' | 'device' | 'member' | Role;

/** One request of the HTTP API: the source of docs/api, and what tests compare every answer with. */
export interface Operation {
	method: Method;
	/** The path as Caddy serves it, with its prefix; parameters in braces. */
	path: string;
	summary: string;
	/** Details that `summary` leaves out. */
	description?: string;
	who: Who;
	query?: TObject;
	request?: Content;
	/** The successful answers, by status. */
	answers: Record<number, Answer>;
	/** Its particular errors; `errorsOf` adds those common to its kind of request. */
	errors?: readonly ErrorCode[];
}

export interface Content {
	schema: TSchema;
	/** Default `application/json`. */
	types?: readonly string[];
}

export interface Answer {
	description: string;
	/** Absent for an answer without a body. */
	schema?: TSchema;
	type?: string;
}

const EVERYWHERE: readonly ErrorCode[] = ['rate_limited', 'internal', 'unavailable'];

/** All error codes that a client of this operation must expect. */
export function errorsOf({ who, query, request, path, errors = [] }: Operation): ErrorCode[] {
	const codes = new Set<ErrorCode>(errors);
	if (who !== 'anyone') codes.add('unauthenticated');
	if (who !== 'anyone' && who !== 'account') codes.add('forbidden');
	if (path.includes('{')) codes.add('not_found');
	if (query || request) codes.add('invalid');
	// Such as a percent sign that encodes nothing, or a body that is not compressed as it says.
	if (path.includes('{') || request) codes.add('bad_request');
	if (request) for (const code of ['not_json', 'too_large', 'unsupported_media_type'] as const) codes.add(code);
	for (const code of EVERYWHERE) codes.add(code);
	return [...codes];
}

/** The names in braces, in order. */
export function parametersOf(path: string): string[] {
	return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
}
