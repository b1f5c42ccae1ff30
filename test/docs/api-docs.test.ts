import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
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
