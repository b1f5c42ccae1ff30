import { describe, expect, it } from 'vitest';
import { Site } from './site.ts';

const request = (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
	({ headers, socket: { remoteAddress } }) as never;

describe('P14 who sends a request', () => {
	const site = new Site({ trustProxy: ['loopback', '10.0.0.0/8'] });

	it.each([
		['X-Forwarded-For', { 'x-forwarded-for': '192.0.2.7' }, '192.0.2.7'],
		['X-Forwarded-For with a port', { 'x-forwarded-for': '192.0.2.7:51234' }, '192.0.2.7'],
		['X-Forwarded-For with IPv6 and a port', { 'x-forwarded-for': '[2001:db8::7]:51234' }, '2001:db8::7'],
		['X-Forwarded-For with bare IPv6', { 'x-forwarded-for': '2001:db8::7' }, '2001:db8::7'],
		['two proxies, the inner one ours', { 'x-forwarded-for': '192.0.2.7, 10.1.2.3' }, '192.0.2.7'],
		['a claim of the client before its address', { 'x-forwarded-for': '203.0.113.9, 192.0.2.7' }, '192.0.2.7'],
		['an entry that is no address', { 'x-forwarded-for': '192.0.2.7, unknown' }, '127.0.0.1'],
		['Forwarded', { forwarded: 'for=192.0.2.7;proto=https' }, '192.0.2.7'],
		['Forwarded, quoted, with IPv6 and a port', { forwarded: 'For="[2001:db8::7]:4711"' }, '2001:db8::7'],
		[
			'Forwarded with several elements',
			{ forwarded: 'for=203.0.113.9, for=192.0.2.7;by=10.0.0.1, for=10.1.2.3' },
			'192.0.2.7',
		],
		['Forwarded with a hidden name', { forwarded: 'for=_secret' }, '127.0.0.1'],
		['Forwarded that is broken', { forwarded: 'for=192.0.2.7;"' }, '127.0.0.1'],
		['Forwarded beside X-Forwarded-For', { forwarded: 'for=203.0.113.9', 'x-forwarded-for': '192.0.2.7' }, '192.0.2.7'],
		['nothing', {}, '127.0.0.1'],
	])('is known from %s', (_what, headers, address) => {
		expect(site.addressOf(request(headers))).toBe(address);
	});

	it('is known only from proxies that are trusted', () => {
		expect(site.addressOf(request({ 'x-forwarded-for': '192.0.2.7' }, '203.0.113.1'))).toBe('203.0.113.1');
	});

	it('is the IPv4 address on a socket of both kinds', () => {
		expect(site.addressOf(request({ 'x-forwarded-for': '192.0.2.7' }, '::ffff:127.0.0.1'))).toBe('192.0.2.7');
		expect(site.addressOf(request({}, '::ffff:203.0.113.1'))).toBe('203.0.113.1');
	});
});

describe('P14 whether a page is of this site', () => {
	const site = new Site({ publicUrl: 'https://public.example/crowd' });

	it.each([
		['the Host', 'http://crowd.example', { host: 'crowd.example' }],
		['the Host in another case', 'https://crowd.example', { host: 'CROWD.Example' }],
		['the Host with the default port of HTTPS', 'https://crowd.example', { host: 'crowd.example:443' }],
		['the Host with the default port of HTTP', 'http://crowd.example', { host: 'crowd.example:80' }],
		['the Host with a port', 'http://crowd.example:8080', { host: 'crowd.example:8080' }],
		['the Host with a dot at the end', 'http://crowd.example', { host: 'crowd.example.' }],
		['an IPv6 Host', 'http://[2001:db8::1]:8080', { host: '[2001:DB8::1]:8080' }],
		['X-Forwarded-Host', 'https://crowd.example', { host: '127.0.0.1:8080', 'x-forwarded-host': 'crowd.example' }],
		['a list of them', 'https://crowd.example', { host: 'in:1', 'x-forwarded-host': 'crowd.example, inner.example' }],
		[
			'X-Forwarded-Host and -Port',
			'https://crowd.example:8443',
			{ host: 'in:1', 'x-forwarded-host': 'crowd.example', 'x-forwarded-port': '8443' },
		],
		['Forwarded', 'https://crowd.example', { host: 'in:1', forwarded: 'host="crowd.example:443";proto=https' }],
		['PUBLIC_URL', 'https://public.example', { host: '127.0.0.1:8080' }],
		['the browser itself', 'https://unknown.example', { host: 'in:1', 'sec-fetch-site': 'same-origin' }],
	])('is told by %s', (_what, origin, headers) => {
		expect(site.isOwnOrigin(request({ origin, ...headers }))).toBe(true);
	});

	it.each([
		['another site', { origin: 'https://evil.example', host: 'crowd.example' }],
		['another port of this host', { origin: 'http://crowd.example:9999', host: 'crowd.example:8080' }],
		['a page without a site', { origin: 'null', host: 'crowd.example' }],
		['a site in disguise', { origin: 'https://crowd.example@evil.example', host: 'crowd.example' }],
	])('is denied to %s', (_what, headers) => {
		expect(site.isOwnOrigin(request(headers))).toBe(false);
	});

	it('is not told by whoever is no trusted proxy', () => {
		const headers = { origin: 'https://evil.example', host: 'crowd.example', 'x-forwarded-host': 'evil.example' };
		expect(site.isOwnOrigin(request(headers, '203.0.113.1'))).toBe(false);
	});
});

describe('P14 the address of this site', () => {
	it.each([
		[{ host: 'crowd.example' }, 'http://crowd.example'],
		[{ host: 'in:1', 'x-forwarded-host': 'crowd.example', 'x-forwarded-proto': 'HTTPS' }, 'https://crowd.example'],
		[{ host: 'in:1', 'x-forwarded-host': 'crowd.example', 'x-forwarded-proto': 'wss, http' }, 'https://crowd.example'],
		[{ host: 'crowd.example', 'x-forwarded-ssl': 'on' }, 'https://crowd.example'],
		[{ host: 'crowd.example', 'x-forwarded-prefix': '/crowd/' }, 'http://crowd.example/crowd'],
		[{ host: 'crowd.example', 'x-forwarded-prefix': '//evil.example' }, 'http://crowd.example'],
		[{ host: 'in:1', forwarded: 'host=crowd.example;proto=https' }, 'https://crowd.example'],
	])('is read from %j', (headers, url) => {
		expect(new Site().urlOf(request(headers as never))).toBe(url);
	});

	it('is PUBLIC_URL where that is set', () => {
		const site = new Site({ publicUrl: 'https://example.org/crowd' });
		expect(site.urlOf(request({ host: '127.0.0.1:8080' }))).toBe('https://example.org/crowd');
	});

	it('has a path for whoever comes by PUBLIC_URL, and none for whoever comes directly', () => {
		const site = new Site({ publicUrl: 'https://example.org/crowd' });
		expect(site.pathOf(request({ host: 'example.org:443' }))).toBe('/crowd/');
		expect(site.pathOf(request({ host: 'in:1', 'x-forwarded-host': 'example.org' }))).toBe('/crowd/');
		expect(site.pathOf(request({ host: '127.0.0.1:8080', origin: 'https://example.org' }))).toBe('/crowd/');
		expect(site.pathOf(request({ host: '127.0.0.1:8080' }))).toBe('/');
		expect(site.pathOf(request({ host: '127.0.0.1:8080', 'x-forwarded-prefix': '/other' }))).toBe('/other/');
	});

	it('is secure where a proxy, the browser or PUBLIC_URL says so', () => {
		const site = new Site();
		expect(site.isSecure(request({ 'x-forwarded-proto': 'https' }))).toBe(true);
		expect(site.isSecure(request({ origin: 'https://crowd.example' }))).toBe(true);
		expect(site.isSecure(request({ origin: 'http://crowd.example' }))).toBe(false);
		expect(site.isSecure(request({}))).toBe(false);
		expect(new Site({ publicUrl: 'https://crowd.example' }).isSecure(request({}))).toBe(true);
	});
});
