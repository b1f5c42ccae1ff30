/** Makes the OpenAPI document of the HTTP API. */
import { ERRORS, type ErrorCode } from '@crowdvision/contracts';
import { type Content, errorsOf, OPERATIONS, type Operation, parametersOf } from '@crowdvision/contracts/api';

type Json = Record<string, unknown>;

const WHO: Record<
	Exclude<Operation['who'], 'business_admin' | 'business_staff' | 'standard_customer' | 'admin'>,
	string
> = {
	anyone: 'Anyone.',
	account: 'Anybody signed in.',
	device: 'A device, with its token.',
	member: 'Members of the domain.',
};

/** The HTTP API as an OpenAPI 3.1 document. */
export function openApi(version: string): Json {
	const paths: Record<string, Json> = {};
	for (const [tag, operations] of Object.entries(OPERATIONS)) {
		for (const operation of operations) {
			paths[operation.path] ??= {};
			paths[operation.path]![operation.method] = describe(tag, operation);
		}
	}
	return {
		openapi: '3.1.1',
		info: {
			title: 'CrowdVision',
			version,
			description:
				'How full, warm and stuffy every room is. Times are epoch ms. Live values come over Socket.IO: see ' +
				'asyncapi.json.',
			license: { name: 'MIT', identifier: 'MIT' },
		},
		// Relative to this document, which is served below /docs.
		servers: [{ url: '..' }],
		tags: Object.keys(OPERATIONS).map((name) => ({ name })),
		paths,
		components: {
			securitySchemes: {
				account: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of POST /auth/login.' },
				session: {
					type: 'apiKey',
					in: 'cookie',
					name: 'crowdvision_session',
					description:
						'The same token, as the cookie of a browser; an installation adds `-` and eight letters of its own.',
				},
				device: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "A device's token." },
				deviceBasic: {
					type: 'http',
					scheme: 'basic',
					description: "The device id as user name and the device's token as password (RFC 7617).",
				},
			},
			schemas: { Error: ERROR },
		},
	};
}

const NOT_MODIFIED: Json = {
	description: 'The answer is the one with the `ETag` in `If-None-Match` (RFC 9110).',
};

/** Where an operation may answer that somebody else changed the thing. */
const IF_MATCH: Json = {
	name: 'If-Match',
	in: 'header',
	description: 'the `ETag` of the version that you change; if it is another one by now, nothing is changed',
	schema: { type: 'string' },
};

const ERROR: Json = {
	type: 'object',
	required: ['error'],
	properties: {
		error: {
			type: 'object',
			required: ['code', 'message'],
			properties: {
				code: { type: 'string', enum: Object.keys(ERRORS) },
				message: { type: 'string', description: 'for people' },
				path: { type: 'string', description: 'JSON Pointer (RFC 6901) to what is wrong' },
				index: { type: 'integer', description: 'place in the batch' },
				problems: {
					type: 'array',
					items: {
						type: 'object',
						required: ['path', 'message'],
						properties: { path: { type: 'string' }, message: { type: 'string' } },
					},
				},
				rejected: {
					type: 'array',
					description: 'the parts of a message that were refused',
					items: {
						type: 'object',
						required: ['index', 'path', 'code', 'message'],
						properties: {
							index: { type: 'integer' },
							path: { type: 'string' },
							code: { type: 'string', enum: Object.keys(ERRORS) },
							message: { type: 'string' },
						},
					},
				},
				requestId: { type: 'string' },
			},
		},
	},
};

function describe(tag: string, operation: Operation): Json {
	const { method, path, summary, description, who, query, request, answers } = operation;
	const allowed =
		who in WHO ? WHO[who as keyof typeof WHO] : `Members of the domain with the role ${who} or a higher one.`;
	const parameters: Json[] = parametersOf(path).map((name) => ({
		name,
		in: 'path',
		required: true,
		schema: { type: 'string' },
	}));
	for (const [name, schema] of Object.entries(query?.properties ?? {})) {
		const required = (query as { required?: string[] }).required?.includes(name) ?? false;
		parameters.push({ name, in: 'query', ...(required && { required }), schema });
	}
	if (operation.errors?.includes('changed_meanwhile')) parameters.push(IF_MATCH);
	return {
		tags: [tag],
		operationId: `${method}-${path
			.slice(1)
			.replaceAll(/[{}]/g, '')
			.replaceAll(/[^A-Za-z0-9]+/g, '-')}`,
		summary,
		description: [description, `For: ${allowed}`].filter(Boolean).join('\n\n'),
		...(parameters.length > 0 && { parameters }),
		...(request && { requestBody: { required: true, content: contentOf(request) } }),
		responses: {
			...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
			...(method === 'get' && answers[200]?.schema && { 304: NOT_MODIFIED }),
			...errorAnswers(operation),
		},
		security:
			who === 'anyone'
				? []
				: who === 'device'
					? [{ device: [] }, { deviceBasic: [] }]
					: [{ account: [] }, { session: [] }],
	};
}

const contentOf = ({ schema, types = ['application/json'] }: Content) =>
	Object.fromEntries(types.map((type) => [type, { schema }]));

function answerOf({ description, schema, type }: Operation['answers'][number]): Json {
	return { description, ...(schema && { content: contentOf({ schema, ...(type && { types: [type] }) }) }) };
}

function errorAnswers(operation: Operation): Json {
	// Where a browser is answered a page, it is told of what went wrong on one, too.
	const answersPages = Object.values(operation.answers).some(({ type }) => type === 'text/html');
	const byStatus = Map.groupBy(errorsOf(operation), (code: ErrorCode) => ERRORS[code].status);
	return Object.fromEntries(
		[...byStatus].map(([status, codes]) => [
			status,
			{
				description: codes.map((code) => `\`${code}\`: ${ERRORS[code].means} ${ERRORS[code].todo}`).join('\n\n'),
				content: {
					'application/json': { schema: { $ref: '#/components/schemas/Error' } },
					...(answersPages && { 'text/html': { schema: { type: 'string' } } }),
				},
			},
		]),
	);
}
