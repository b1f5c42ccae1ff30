import { describe, expect, it } from 'vitest';
import { forwardedOf } from './forwarded.ts';

const read = (forwarded: string | string[]) => forwardedOf({ forwarded } as never);

describe('P14 Forwarded (RFC 7239) in every form that proxies send', () => {
	it.each([
		// The examples of the RFC.
		['for="_gazonk"', [undefined]],
		['For="[2001:db8:cafe::17]:4711"', ['2001:db8:cafe::17']],
		['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
		['for=192.0.2.43, for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
		['for=192.0.2.43, for="[2001:db8:cafe::17]"', ['192.0.2.43', '2001:db8:cafe::17']],
		['for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', ['192.0.2.43', '2001:db8:cafe::17', undefined]],
		['for=_hidden, for=_SEVKISEK', [undefined, undefined]],
		// Spellings seen in the field.
		['FOR=192.0.2.1', ['192.0.2.1']],
		['for="192.0.2.1:4711"', ['192.0.2.1']],
		['for=192.0.2.1:4711', ['192.0.2.1']],
		['for="192.0.2.1:_port"', ['192.0.2.1']],
		['for="_gazonk:80"', [undefined]],
		['for="unknown:80"', [undefined]],
		['for=[2001:db8::1]', ['2001:db8::1']],
		['for="2001:db8::1"', ['2001:db8::1']],
		['for="[fe80::1%eth0]:80"', ['fe80::1']],
		['for="192.0.2\\.1"', ['192.0.2.1']],
		['  for=192.0.2.1 ; proto=https ,\tfor=192.0.2.2  ', ['192.0.2.1', '192.0.2.2']],
		['proto=https;host=crowd.example;for=192.0.2.1', ['192.0.2.1']],
		['for=192.0.2.1;secret=_x;ext="a, b; c=\\"d\\""', ['192.0.2.1']],
		['proto=https, for=192.0.2.1', ['192.0.2.1']],
		[', ,for=192.0.2.1,', ['192.0.2.1']],
		['', []],
		['for', []],
		['for=192.0.2.1;"', []],
		['for="192.0.2.1', []],
		['for=192.0.2.1 proto=https', []],
	])('%s', (header, addresses) => {
		expect(read(header).addresses).toEqual(addresses);
	});

	it('is read from several lines, as it is from one', () => {
		expect(read(['for=192.0.2.1', 'for="[2001:db8::2]"']).addresses).toEqual(['192.0.2.1', '2001:db8::2']);
	});

	it.each([
		['host=crowd.example;proto=https', ['crowd.example'], 'https'],
		['Host="crowd.example:8443";PROTO=HTTPS', ['crowd.example:8443'], 'https'],
		['host="[2001:db8::1]:8443";proto="http"', ['[2001:db8::1]:8443'], 'http'],
		['host=crowd.example, host=inner.example;proto=http', ['crowd.example', 'inner.example'], 'http'],
		['host="evil.example/x";proto=ftp', [], undefined],
	])('%s', (header, hosts, protocol) => {
		expect(read(header)).toMatchObject({ hosts, ...(protocol && { protocol }) });
		expect(read(header).protocol).toBe(protocol);
	});
});
