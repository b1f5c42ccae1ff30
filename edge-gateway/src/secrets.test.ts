import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets, withoutSecrets } from './secrets.ts';

const JWT = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(40)}.${'b'.repeat(30)}`;
const masked = (text: string) => maskSecrets(Buffer.from(text)).toString();
const stars = (secret: string) => '*'.repeat(Buffer.byteLength(secret));

describe('P13 secrets in what a vendor sends', () => {
	it.each<[string, string, string]>([
		['a token', '{"token":"s3cr3t","n":2}', 's3cr3t'],
		['an access token between blanks', '{ "access_token" : "s3cr3t" , "n":2}', 's3cr3t'],
		['a name in camel case', '{"mqttPassword":"hunter2"}', 'hunter2'],
		['a name with dashes', '{"x-api-key":"k-123"}', 'k-123'],
		['an authorization header in the body', '{"headers":{"Authorization":"Bearer abc.def"}}', 'Bearer abc.def'],
		['a secret deep inside', '{"a":[{"client_secret":"s3cr3t"}]}', 's3cr3t'],
		['a secret with a quote in it', '{"password":"a\\"b\\\\"}', 'a\\"b\\\\'],
		['a secret beyond ASCII', '{"password":"größe"}', 'größe'],
		['a JSON Web Token under any name', `{"x":"${JWT}"}`, JWT],
		['JSON inside a text', '{"body":"{\\"token\\":\\"s3cr3t\\"}"}', 's3cr3t'],
		['a form', 'device=7&access_token=s3cr3t&n=2', 's3cr3t'],
		['a URL with a key', '{"downlink_url":"https://x.example/d?key=s3cr3t&f=1"}', 's3cr3t'],
		['a URL with a password', '{"callback":"https://me:s3cr3t@x.example/"}', 's3cr3t'],
		['a header line', 'Authorization: Basic ZGV2OnNlY3JldA==', 'Basic ZGV2OnNlY3JldA=='],
		['XML', '<r><apiKey>s3cr3t</apiKey><n>2</n></r>', 's3cr3t'],
		['a key of The Things Stack', '{"x":"NNSXS.ABCDEF.GHIJKL"}', 'NNSXS.ABCDEF.GHIJKL'],
		['a torn document', '{"n":2,"token":"s3cr3t', 's3cr3t'],
	])('are hidden, in as many bytes: %s', (_what, text, secret) => {
		expect(masked(text)).toBe(text.replace(secret, stars(secret)));
		expect(withoutSecrets(text)).not.toContain(secret);
	});

	it('are hidden as numbers too, and the document still parses', () => {
		expect(JSON.parse(masked('{"password":12345,"n":2}'))).toEqual({ password: '***', n: 2 });
		expect(JSON.parse(masked('{"token":7}'))).toEqual({ token: 0 });
	});

	it.each([
		'{"sensorId":"door-3","metric":"peopleIn","value":2,"seq":7}',
		'{"pass":12,"passIn":3,"key":"door","code":4,"keys":[1,2]}',
		'{"session_key_id":"AYfg==","f_cnt":12,"devEui":"A81758FFFE000001"}',
		'{"token":null,"secret":true,"password":""}',
		'The token was revoked',
		'Basic credentials must be the base64 of <device id>:<token>',
		'http://127.0.0.1:8080/ingest',
		'12:34:56 door@hall',
	])('are not seen where there are none: %s', (text) => {
		expect(masked(text)).toBe(text);
		expect(withoutSecrets(text)).toBe(text);
	});

	it('leave every JSON document one, with the same members and the same length', () => {
		const keys = fc.constantFrom('token', 'password', 'value', 'apiKey', 'sensorId', 'Authorization', 'n');
		const values = fc.oneof(
			fc.string(),
			fc.double({ noNaN: true, noDefaultInfinity: true }),
			fc.boolean(),
			fc.constant(null),
		);
		const documents = fc.array(fc.dictionary(keys, fc.oneof(values, fc.dictionary(keys, values))));
		fc.assert(
			fc.property(documents, (document) => {
				const text = JSON.stringify(document);
				const hidden = masked(text);
				expect(Buffer.byteLength(hidden)).toBe(Buffer.byteLength(text));
				const parsed = JSON.parse(hidden) as object[];
				expect(parsed.map((one) => Object.keys(one))).toEqual(document.map((one) => Object.keys(one)));
			}),
		);
	});

	it('are looked for in time that grows with the length only', () => {
		for (const piece of [
			'token',
			'token=',
			'token"',
			'"token":',
			'"token":"',
			'eyJ',
			'a.eyJ',
			'api_',
			':// :',
			'\\',
			'Bearer ',
		])
			expect(maskSecrets(Buffer.from(piece.repeat(200_000 / piece.length)))).toBeInstanceOf(Buffer);
	});
});
