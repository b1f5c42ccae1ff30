import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PLACE_ID } from '@crowdvision/contracts';
import { ROOT } from '@crowdvision/testing/root';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { DEMO_BUILDING } from '../../demo/building.ts';

const read = (name: string) =>
	JSON.parse(readFileSync(join(ROOT, 'docs', 'api', name), 'utf8')) as Record<string, unknown>;

it('the OpenAPI document is valid OpenAPI 3.1', async () => {
	expect(await new Validator().validate(read('openapi.json'))).toEqual({ valid: true });
	expect((await new Validator().validate({ ...read('openapi.json'), paths: { nowhere: {} } })).valid).toBe(false);
});

it('the AsyncAPI document is valid AsyncAPI 3.0', () => {
	const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
	const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
	validate(read('asyncapi.json'));
	expect(validate.errors).toBe(null);
	expect(validate({ ...read('asyncapi.json'), channels: { one: { nothing: true } } })).toBe(false);
});

/** The place of each text below `value`, keys of objects too, that is not well-formed Unicode. */
function illFormed(value: unknown, path = ''): string[] {
	if (typeof value === 'string') return value.isWellFormed() ? [] : [path];
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]) => [
		...(key.isWellFormed() ? [] : [`${path}/(key)`]),
		...illFormed(inner, `${path}/${key}`),
	]);
}

describe('P14 the OpenAPI document', () => {
	const served = readdirSync(join(ROOT, 'docs', 'api')).map((name) => join('api', name));
	const documents = [...served, 'building.schema.json', 'gateway.schema.json'].filter((name) => name.endsWith('.json'));

	it.each(documents)('and what stands beside it holds no lone surrogates, which its tools cannot read: %s', (name) => {
		const text = readFileSync(join(ROOT, 'docs', name), 'utf8');
		expect(illFormed(JSON.parse(text))).toEqual([]);
	});

	it('describes the ids of places so that a lone surrogate is none', () => {
		const place = new RegExp(PLACE_ID);
		expect(['hall', 'Küche', '客厅'].map((id) => place.test(id))).toEqual([true, true, true]);
		expect(['a\ud800', '\udc00', 'a/b', 'a\u0000', 'a\u007f'].some((id) => place.test(id))).toBe(false);
	});
});

it('docs/building.schema.json accepts the demo building and rejects a key that no building has', () => {
	const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'building.schema.json'), 'utf8')) as object;
	const validate = new Ajv2020({ allErrors: true }).compile(schema);
	validate(DEMO_BUILDING);
	expect(validate.errors).toBe(null);
	expect(validate({ ...DEMO_BUILDING, colour: 'red' })).toBe(false);
});

it('every file that an API document or its page refers to is served beside them', () => {
	const folder = join(ROOT, 'docs', 'api');
	const page = readFileSync(join(folder, 'index.html'), 'utf8');
	const linked = [...page.matchAll(/(?:href|src)="([^"#][^"]*)"/g)].map(([, path]) => path!);
	const cited = [...JSON.stringify(read('openapi.json')).matchAll(/docs\/([\w.-]+\.json)/g)].map(([, path]) => path!);
	expect(cited).toContain('building.schema.json');
	for (const path of [...linked, ...cited]) expect(existsSync(join(folder, path)), path).toBe(true);
});
