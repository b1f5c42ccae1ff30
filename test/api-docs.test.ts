import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { ROOT } from './support/processes.ts';

const read = (name: string) =>
	JSON.parse(readFileSync(join(ROOT, 'docs', 'api', name), 'utf8')) as Record<string, unknown>;

it('the OpenAPI document is one by the schema of OpenAPI 3.1', async () => {
	expect(await new Validator().validate(read('openapi.json'))).toEqual({ valid: true });
	expect((await new Validator().validate({ ...read('openapi.json'), paths: { nowhere: {} } })).valid).toBe(false);
});

it('the AsyncAPI document is one by the schema of AsyncAPI 3.0', () => {
	const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
	const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
	validate(read('asyncapi.json'));
	expect(validate.errors).toBe(null);
	expect(validate({ ...read('asyncapi.json'), channels: { one: { nothing: true } } })).toBe(false);
});
