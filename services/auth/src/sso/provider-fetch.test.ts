import { describe, expect, it } from 'vitest';
import { refusalReason } from './provider-fetch.ts';

describe('the address of a provider', () => {
	const refused = async (url: string, reach: 'public' | 'private' | 'loopback') =>
		expect(await refusalReason(new URL(url), reach)).toBeDefined();

	it.each([
		'https://127.0.0.1',
		'https://10.1.2.3',
		'https://192.168.0.1',
		'https://169.254.169.254',
		'https://[::1]',
		'https://[fd00::1]',
		'https://[::ffff:127.0.0.1]',
		'https://0x7f000001',
		'https://localhost',
		'http://1.1.1.1',
		'https://user:secret@1.1.1.1',
	])('is refused when it is %s and only public ones are allowed', (url) => refused(url, 'public'));

	it('may be public, private where that is allowed, and without TLS only on loopback', async () => {
		expect(await refusalReason(new URL('https://1.1.1.1'), 'public')).toBeUndefined();
		expect(await refusalReason(new URL('https://10.1.2.3'), 'private')).toBeUndefined();
		expect(await refusalReason(new URL('http://127.0.0.1:1'), 'loopback')).toBeUndefined();
		await refused('http://10.1.2.3', 'private');
		await refused('http://10.1.2.3', 'loopback');
	});
});
