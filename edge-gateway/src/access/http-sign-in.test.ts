import { describe, expect, it } from 'vitest';
import { basicCredentials } from './http-sign-in.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('P13 HTTP Basic (RFC 7617)', () => {
	it.each<[string, string | undefined, ReturnType<typeof basicCredentials>]>([
		['device id and token', basic('dev-1:tok'), { deviceId: 'dev-1', token: 'tok' }],
		[
			'the scheme in any case, with spaces',
			basic('dev-1:tok').replace('Basic ', 'bASIC   '),
			{ deviceId: 'dev-1', token: 'tok' },
		],
		['an id with colons', basic('aa:bb:cc:tok'), { deviceId: 'aa:bb:cc', token: 'tok' }],
		['an id beyond ASCII, in UTF-8', basic('Tür:tok'), { deviceId: 'Tür', token: 'tok' }],
		['an empty token', basic('dev-1:'), { deviceId: 'dev-1', token: '' }],
		['no id', basic(':tok'), { deviceId: '', token: 'tok' }],
		['base64 without padding', basic('dev-1:toke').replace(/=+$/, ''), { deviceId: 'dev-1', token: 'toke' }],
		['no header', undefined, undefined],
		['another scheme', 'Bearer abc', undefined],
		['a scheme that only begins so', 'Basically abc', undefined],
	])('finds id and token, or leaves the header to another scheme: %s', (_what, header, expected) => {
		expect(basicCredentials(header)).toEqual(expected);
	});

	it.each(['Basic %%%', basic('no colon'), 'Basic dev-1:token in the clear', 'Basic ='])(
		'refuses what is not the base64 of id and token: %s',
		(header) => {
			expect(() => basicCredentials(header)).toThrow('Basic credentials must be the base64 of <device id>:<token>');
		},
	);
});
