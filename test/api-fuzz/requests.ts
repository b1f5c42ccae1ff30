/** Makes requests of an operation: valid ones, and such as break every rule of the document. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Operation } from './document.ts';
import { allowedBy, HOSTILE_BODIES, HOSTILE_TEXTS, type Known, spoiledFor } from './schema-values.ts';

/** Who sends a request. */
export const ROLES = [
	'none',
	'nonsense',
	'outsider',
	'viewer',
	'staff',
	'admin',
	'platform',
	'device',
	'narrow-device',
	'device-basic',
] as const;
export type Role = (typeof ROLES)[number];

export interface Request {
	role: Role;
	/** As it goes over the wire. */
	path: string;
	headers: Record<string, string>;
	body?: string | Buffer;
}

const LONGEST_WAIT_MS = 100;
const WHO_MAY: readonly { role: Role; pattern: RegExp }[] = [
	{ role: 'device', pattern: /^\/ingest/ },
	{ role: 'platform', pattern: /^\/auth\/keys/ },
	{ role: 'outsider', pattern: /^\/auth\/invitations/ },
	// Its account may be deleted: it is the only admin of nothing.
	{ role: 'viewer', pattern: /^\/auth\/me$/ },
	{ role: 'admin', pattern: /./ },
];

/** A role that may send requests of this operation. */
export const roleFor = ({ path }: Operation): Role => WHO_MAY.find(({ pattern }) => pattern.test(path))!.role;

/** Requests of this operation; `known` are ids and values that exist. */
export function requestsOf(operation: Operation, known: Known): fc.Arbitrary<Request> {
	const may = roleFor(operation);
	const valid = fc.record({
		role: fc.constant(may),
		path: pathOf(operation, known, true),
		sent: validBody(operation, known),
	});
	const any = fc.record({
		role: fc.oneof({ weight: 2, arbitrary: fc.constant(may) }, { weight: 3, arbitrary: fc.constantFrom(...ROLES) }),
		path: pathOf(operation, known, false),
		sent: anyBody(operation, known),
	});
	return fc
		.tuple(fc.oneof({ weight: 2, arbitrary: valid }, { weight: 3, arbitrary: any }), headersOf())
		.map(([{ role, path, sent }, more]) => {
			const request: Request = { role, path, headers: { ...more, ...sent.headers } };
			if (sent.body !== undefined) request.body = sent.body;
			return request;
		});
}

interface Sent {
	headers: Record<string, string>;
	body?: string | Buffer;
}

function pathOf(operation: Operation, known: Known, isValid: boolean): fc.Arbitrary<string> {
	const names = operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name);
	const parts = names.map((name) => {
		const own = knownOf(operation, name, known);
		const text = own.length > 0 ? fc.constantFrom(...own.map(String)) : fc.stringMatching(/^[a-z0-9-]{1,20}$/);
		const encoded = text.map(encode);
		return isValid ? encoded : fc.oneof({ weight: 2, arbitrary: encoded }, { weight: 1, arbitrary: anySegment });
	});
	return fc.tuple(fc.tuple(...parts), queryOf(operation, known, isValid)).map(([values, query]) => {
		let next = 0;
		return operation.path.replace(/\{\w+\}/g, () => values[next++]!) + (query === '' ? '' : `?${query}`);
	});
}

/** The values of a path parameter. `id` is of another thing in each service. */
function knownOf({ path }: Operation, name: string, known: Known): readonly unknown[] {
	const [, service, things] = path.split('/');
	return known[`${service}/${things}/${name}`] ?? known[name] ?? [];
}

const anyText = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ maxLength: 40, unit: 'binary' }), fc.webPath());
/** Without a segment it would be the path of another operation. */
const anySegment = anyText.filter((text) => text !== '').map((text) => encode(text));
/** Lone percent signs reach the server as they are. */
const encode = (text: string) => (/^%\w{0,2}$/.test(text) ? text : encodeURIComponent(text.toWellFormed()));

function queryOf({ parameters }: Operation, known: Known, isValid: boolean): fc.Arbitrary<string> {
	const own = parameters.filter((one) => one.in === 'query');
	const pair = ({ name, required, schema }: Operation['parameters'][number]) => {
		const valid = allowedBy(schema, known, name).map(String);
		const value = isValid ? valid : fc.oneof(valid, anyText);
		const given = value.map((text) => `${name}=${encode(text)}`);
		return isValid && required ? given : fc.option(given, { nil: '', freq: 1 });
	};
	const pairs = fc.tuple(...own.map(pair)).map((all) => all.filter((one) => one !== ''));
	if (isValid) return pairs.map((all) => all.join('&'));
	const names = fc.constantFrom(...own.map(({ name }) => name), 'limit', 'cursor', 'from', '__proto__', 'a[b]', 'x');
	const extra = fc.array(
		fc.tuple(names, anyText).map(([name, text]) => `${encode(name)}=${encode(text)}`),
		{ maxLength: 2 },
	);
	return fc.tuple(pairs, extra).map(([all, more]) => [...all, ...more].join('&'));
}

function validBody(operation: Operation, known: Known): fc.Arbitrary<Sent> {
	const types = Object.entries(operation.requestBody?.content ?? {});
	if (types.length === 0) return fc.constant({ headers: {} });
	return fc.oneof(
		...types.map(([type, { schema }]) =>
			allowedBy(schema ?? {}, known, operation.operationId).map((value) => asJson(operation, value, type)),
		),
	);
}

function asJson({ operationId }: Operation, value: unknown, type: string): Sent {
	const whole = operationId === 'post-gateway-devices-sensorId-command' && isRecord(value) ? briefly(value) : value;
	return { headers: { 'content-type': type === '*/*' ? 'application/json' : type }, body: JSON.stringify(whole) ?? '' };
}

const isRecord = (value: unknown): value is object =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nobody answers commands here, and `?wait` answers at the deadline. */
function briefly(command: { deadline?: unknown; timeoutMs?: unknown }): object {
	const { deadline, timeoutMs = deadline === undefined ? LONGEST_WAIT_MS : undefined } = command;
	if (timeoutMs === undefined) return command;
	return { ...command, timeoutMs: typeof timeoutMs === 'number' ? Math.min(timeoutMs, LONGEST_WAIT_MS) : timeoutMs };
}

function anyBody(operation: Operation, known: Known): fc.Arbitrary<Sent> {
	const [content] = Object.values(operation.requestBody?.content ?? {});
	const schema = content?.schema ?? {};
	const types = [
		'application/json',
		'application/json; charset=utf-8',
		'application/json; charset=x',
		'text/plain',
		'x',
		'',
	];
	const type = fc.oneof(
		{ weight: 4, arbitrary: fc.constant('application/json') },
		{ weight: 2, arbitrary: fc.constantFrom(...types, ...Object.keys(operation.requestBody?.content ?? {})) },
	);
	const json = spoiledFor(schema, known);
	const text = json.map((value) => asJson(operation, value, 'application/json').body as string);
	const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
	const brokenText = fc.tuple(text, fc.nat()).map(([whole, at]) => whole.slice(0, at % (whole.length + 1)));
	const body = fc.oneof(
		{ weight: 5, arbitrary: text as fc.Arbitrary<string | Buffer> },
		brokenText,
		bytes,
		fc.constantFrom(...HOSTILE_BODIES),
	);
	const plain = fc.tuple(body, type).map(([own, contentType]) => ({ headers: typed(contentType), body: own }));
	const packed = fc
		.tuple(body, fc.constantFrom('gzip', 'gzip', 'deflate', 'br', 'x'), fc.boolean())
		.map(([own, encoding, isSound]) => ({
			headers: { 'content-type': 'application/json', 'content-encoding': encoding },
			body: encoding === 'gzip' && isSound ? gzipSync(own) : own,
		}));
	const nothing = fc.constant<Sent>({ headers: {} });
	return fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: packed }, { weight: 1, arbitrary: nothing });
}

const typed = (contentType: string): Record<string, string> =>
	contentType === '' ? {} : { 'content-type': contentType };

/** Headers that some answer depends on. Values are what HTTP allows: what it does not, no handler ever sees. */
function headersOf(): fc.Arbitrary<Record<string, string>> {
	const text = fc.string({ maxLength: 60 }).map((one) => one.replaceAll(/[^\x20-\x7e]/g, '').trim());
	const of = (...values: string[]) => fc.oneof(fc.constantFrom(...values), text);
	const all = fc.record(
		{
			'if-match': of('*', '"1"', '"0"', 'W/"1"', '""', '"1", "2"'),
			accept: of('*/*', 'application/json', 'text/html', 'text/plain', 'x/y', 'application/json;q=0'),
			origin: of('null', 'http://evil.example', 'http://localhost'),
			cookie: of('crowdvision_session=a.b.c', 'crowdvision_session-x=%', 'a', '=', ';;', 'crowdvision_session_1=x'),
			range: of('bytes=0-1', 'bytes=9-1'),
			'if-none-match': of('*', '"1"'),
			'x-forwarded-host': of('crowd.example', '[', 'a b'),
			'x-forwarded-proto': of('https', 'x'),
			'accept-language': of('it', '*', ';q='),
		},
		{ requiredKeys: [] },
	);
	return fc.oneof(
		{ weight: 2, arbitrary: fc.constant({}) },
		{ weight: 1, arbitrary: all as fc.Arbitrary<Record<string, string>> },
	);
}
