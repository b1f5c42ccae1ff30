/**
 * The API documents as a page to read: no script, so that it works under the dashboard's Content-Security-Policy and
 * without one.
 */

interface Schema {
	type?: string;
	description?: string;
	properties?: Record<string, Schema>;
	required?: string[];
	items?: Schema;
	anyOf?: Schema[];
	allOf?: Schema[];
	enum?: unknown[];
	const?: unknown;
	pattern?: string;
	minimum?: number;
	maximum?: number;
	default?: unknown;
	patternProperties?: Record<string, Schema>;
	additionalProperties?: Schema | boolean;
	$ref?: string;
}
interface Body {
	content?: Record<string, { schema?: Schema }>;
	description?: string;
}
interface Call {
	tags: string[];
	operationId: string;
	summary: string;
	description: string;
	parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
	requestBody?: Body;
	responses: Record<string, Body>;
}
interface OpenApi {
	info: { title: string; version: string; description: string };
	tags: { name: string }[];
	paths: Record<string, Record<string, Call>>;
}
interface AsyncApi {
	channels: Record<
		string,
		{ address: string; description: string; servers: { $ref: string }[]; messages: { message: { payload: Schema } } }
	>;
	servers: Record<string, { host: string; pathname?: string; protocol: string; description: string }>;
}

const text = (value: unknown) =>
	String(value)
		.replaceAll('&', '&amp;')
		.replaceAll('<', '&lt;')
		.replaceAll('>', '&gt;')
		.replaceAll('"', '&quot;')
		.replaceAll(/`([^`]+)`/g, '<code>$1</code>');
const paragraphs = (value: string) =>
	value
		.split('\n\n')
		.map((one) => `<p>${text(one)}</p>`)
		.join('');

/** What programs read of it, beside the page. */
const DOCUMENTS = ['openapi.json', 'asyncapi.json', 'building.schema.json'];

/** Deep enough for every schema there is; a bound all the same. */
const DEEPEST = 6;

function shape(schema: Schema, depth = 0): string {
	if (depth > DEEPEST) return '…';
	if (schema.$ref) return `<code>${text(schema.$ref.split('/').at(-1))}</code>`;
	const any = schema.anyOf ?? schema.allOf;
	if (any) return any.map((one) => shape(one, depth + 1)).join(schema.anyOf ? ' <em>or</em> ' : ' <em>and</em> ');
	if (schema.enum) return schema.enum.map((one) => `<code>${text(JSON.stringify(one))}</code>`).join(' · ');
	if (schema.type === 'array') return `list of ${shape(schema.items ?? {}, depth + 1)}`;
	const values = Object.values(schema.patternProperties ?? {})[0];
	if (values) return `by key: ${shape(values, depth + 1)}`;
	if (schema.properties) {
		const rows = Object.entries(schema.properties).map(([name, property]) => {
			const optional = schema.required?.includes(name) ? '' : ' <small>optional</small>';
			return `<dt><code>${text(name)}</code>${optional}</dt><dd>${shape(property, depth + 1)}</dd>`;
		});
		return `<dl>${rows.join('')}</dl>`;
	}
	const range = [
		schema.minimum !== undefined && `from ${schema.minimum}`,
		schema.maximum !== undefined && `to ${schema.maximum}`,
	]
		.filter(Boolean)
		.join(' ');
	const fallback = schema.default === undefined ? '' : `default ${JSON.stringify(schema.default)}`;
	return text(
		[schema.type ?? 'anything', range, fallback, schema.description && `(${schema.description})`]
			.filter(Boolean)
			.join(' '),
	);
}

function bodyOf({ content }: Body): string {
	return Object.entries(content ?? {})
		.map(([type, { schema }]) => `<div class="body"><small>${text(type)}</small>${schema ? shape(schema) : ''}</div>`)
		.join('');
}

function callOf(path: string, method: string, call: Call): string {
	const parameters = (call.parameters ?? []).map(({ name, in: where, required, schema }) => {
		const note = `<small>${where}${required ? '' : ', optional'}</small>`;
		return `<dt><code>${text(name)}</code> ${note}</dt><dd>${shape(schema)}</dd>`;
	});
	const answers = Object.entries(call.responses)
		.sort(([a], [b]) => Number(a) - Number(b))
		.map(([status, answer]) => {
			const good = Number(status) < 400;
			const means = `${paragraphs(answer.description ?? '')}${good ? bodyOf(answer) : ''}`;
			return `<dt class="${good ? 'good' : 'bad'}">${status}</dt><dd>${means}</dd>`;
		});
	const head = `<b class="${method}">${method.toUpperCase()}</b> <code>${text(path)}</code>`;
	return `<details id="${text(call.operationId)}"><summary>${head} <span>${text(call.summary)}</span></summary>
${paragraphs(call.description)}
${parameters.length > 0 ? `<h4>Parameters</h4><dl>${parameters.join('')}</dl>` : ''}
${call.requestBody ? `<h4>Body</h4>${bodyOf(call.requestBody)}` : ''}
<h4>Answers</h4><dl class="answers">${answers.join('')}</dl></details>`;
}

/** `docs/api/index.html`. */
export function apiPage(openApi: OpenApi, asyncApi: AsyncApi): string {
	const calls = Object.entries(openApi.paths).flatMap(([path, methods]) =>
		Object.entries(methods).map(([method, call]) => ({ path, method, call })),
	);
	const sections = openApi.tags.map(({ name }) => {
		const own = calls.filter(({ call }) => call.tags.includes(name));
		const described = own.map(({ path, method, call }) => callOf(path, method, call));
		return `<section id="${name}"><h2>${text(name)}</h2>${described.join('\n')}</section>`;
	});
	const live = Object.entries(asyncApi.servers).map(([server, { host, pathname = '', protocol, description }]) => {
		const own = Object.values(asyncApi.channels).filter(({ servers }) =>
			servers.some(({ $ref }) => $ref.endsWith(`/${server}`)),
		);
		const described = own.map(({ address, description: means, messages }) => {
			const head = `<code>${text(address)}</code> <span>${text(means)}</span>`;
			return `<details><summary>${head}</summary>${shape(messages.message.payload)}</details>`;
		});
		const at = `<small>${text(protocol)}://${text(host)}${text(pathname)}</small>`;
		const head = `<h2>${text(server)} ${at}</h2><p>${text(description)}</p>`;
		return `<section id="live-${server}">${head}${described.join('\n')}</section>`;
	});
	const links = [
		...openApi.tags.map(({ name }) => [name, name]),
		...Object.keys(asyncApi.servers).map((name) => [`live-${name}`, name]),
	];
	return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(openApi.info.title)} API</title>
<link rel="stylesheet" href="style.css">
<header><h1>${text(openApi.info.title)} API</h1><p>${text(openApi.info.description)}</p>
<p>For programs: ${DOCUMENTS.map((name) => `<a href="${name}">${name}</a>`).join(' · ')}</p>
<nav aria-label="Sections">${links.map(([id, name]) => `<a href="#${id}">${text(name)}</a>`).join(' ')}</nav></header>
<main>
${sections.join('\n')}
${live.join('\n')}
</main>
</html>
`;
}
