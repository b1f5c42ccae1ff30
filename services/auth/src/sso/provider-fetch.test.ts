import { describe, expect, it } from 'vitest';
import { unreachable } from './provider-fetch.ts';

describe('where a provider may stand', () => {
	const refused = async (url: string, reach: 'public' | 'private' | 'loopback') =>
		expect(await unreachable(new URL(url), reach)).toBeDefined();

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
	])('is not at %s unless told', (url) => refused(url, 'public'));

	it('is at public addresses, at private ones where that is set, and without TLS on loopback only', async () => {
		expect(await unreachable(new URL('https://1.1.1.1'), 'public')).toBeUndefined();
		expect(await unreachable(new URL('https://10.1.2.3'), 'private')).toBeUndefined();
		expect(await unreachable(new URL('http://127.0.0.1:1'), 'loopback')).toBeUndefined();
		await refused('http://10.1.2.3', 'private');
		await refused('http://10.1.2.3', 'loopback');
	});
});
