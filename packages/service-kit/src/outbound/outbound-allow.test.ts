import { describe, expect, it } from 'vitest';
import { readSettings } from '../process/settings.ts';
import { canonicalAddress, isPublicAddress } from './addresses.ts';
import { OUTBOUND_SETTINGS, OutboundAllow } from './outbound-allow.ts';
import { OutboundClient } from './outbound-client.ts';

describe('A5 the address of a target', () => {
	it.each([
		['8.8.8.8', true],
		['93.184.216.34', true],
		['2606:4700::1111', true],
		['2a00:1450:4001:800::200e', true],
		['::ffff:8.8.8.8', true],
		['0.0.0.0', false],
		['10.1.2.3', false],
		['100.64.0.1', false],
		['127.0.0.1', false],
		['127.255.255.254', false],
		['169.254.169.254', false],
		['172.16.0.1', false],
		['172.31.255.255', false],
		['172.32.0.1', true],
		['192.168.1.1', false],
		['192.0.2.1', false],
		['198.18.0.1', false],
		['224.0.0.1', false],
		['255.255.255.255', false],
		['::', false],
		['::1', false],
		['::ffff:127.0.0.1', false],
		['::ffff:7f00:1', false],
		['0:0:0:0:0:ffff:a9fe:a9fe', false],
		['::127.0.0.1', false],
		['64:ff9b::7f00:1', false],
		['2002:7f00:1::', false],
		['2001:0:1::1', false],
		['2001:db8::1', false],
		['fe80::1', false],
		['fe80::1%eth0', false],
		['fd00::1', false],
		['fec0::1', false],
		['ff02::1', false],
		['100::1', false],
		['hooks.example.org', false],
		['', false],
	])('%s: public %s', (address, expected) => {
		expect(isPublicAddress(address)).toBe(expected);
	});

	it('has one spelling', () => {
		expect(canonicalAddress('[::FFFF:127.0.0.1]')).toBe('127.0.0.1');
		expect(canonicalAddress('FD00:0:0::1')).toBe('fd00::1');
		expect(canonicalAddress('127.1')).toBeUndefined();
	});
});

describe('A5 OUTBOUND_ALLOW', () => {
	const ALLOW = 'hooks.lan, ntfy.lan:8080, 10.0.0.0/8, 192.168.1.5:9000, [fd00::/8]:443, ::1, localhost:3000';
	it.each([
		['http://hooks.lan/', true],
		['https://HOOKS.lan.:9999/x', true],
		['http://a.hooks.lan/', false],
		['http://ntfy.lan:8080/', true],
		['http://ntfy.lan/', false],
		['http://10.2.3.4:81/', true],
		['http://11.2.3.4/', false],
		['http://0x0a000001/', true],
		['http://[::ffff:10.0.0.1]/', true],
		['http://192.168.1.5:9000/', true],
		['http://192.168.1.5/', false],
		['https://[fd12::1]/', true],
		['http://[fd12::1]/', false],
		['http://[::1]:1234/', true],
		['http://localhost:3000/', true],
		['http://127.0.0.1:3000/', false],
		['http://localhost:3001/', false],
	])('%s: named %s', (url, expected) => {
		const { OUTBOUND_ALLOW } = readSettings(OUTBOUND_SETTINGS, { OUTBOUND_ALLOW: ALLOW });
		expect(new OutboundAllow(OUTBOUND_ALLOW).names(new URL(url))).toBe(expected);
	});

	it.each([
		'a b',
		'10.0.0.0/33',
		'fd00::/129',
		'host:0',
		'host:65536',
		'http://host',
		'a,,b',
		'127.1',
		'*.example.org',
		'host/8',
	])('refuses %j at the start', (value) => {
		expect(() => readSettings(OUTBOUND_SETTINGS, { OUTBOUND_ALLOW: value })).toThrow(/OUTBOUND_ALLOW .* must be/);
	});
});

describe('A5 the URL of a target', () => {
	const client = new OutboundClient({
		allow: new OutboundAllow(['127.0.0.0/8', 'inner.example']),
		resolve: async (host) => {
			const address = { 'public.example': '93.184.216.34', 'private.example': '127.0.0.1' }[host];
			if (!address) throw new Error('ENOTFOUND');
			return [{ address, family: 4 }];
		},
	});
	it.each([
		['https://public.example/hook', undefined],
		['https://unknown.example/', undefined],
		['https://93.184.216.34/', undefined],
		['http://127.0.0.1:8080/', undefined],
		['http://2130706433/', undefined],
		['http://inner.example/', undefined],
		['nonsense', 'must be a URL'],
		['ftp://public.example/', 'must begin with https://'],
		['http://public.example/', 'must begin with https://, unless OUTBOUND_ALLOW names its host'],
		['https://user:password@public.example/', 'must not contain a user name or password'],
		['https://user@127.0.0.1/', 'must not contain a user name or password'],
		['https://localhost/', expect.stringContaining('public internet')],
		['https://localhost./', expect.stringContaining('public internet')],
		['https://a.localhost/', expect.stringContaining('public internet')],
		['https://10.0.0.1/', expect.stringContaining('public internet')],
		['https://0xa9fea9fe/', expect.stringContaining('public internet')],
		['https://0251.0376.0251.0376/', expect.stringContaining('public internet')],
		['https://192.168.1/', expect.stringContaining('public internet')],
		['https://[::ffff:a00:1]/', expect.stringContaining('public internet')],
		['https://[::]/', expect.stringContaining('public internet')],
		['https://0.0.0.0/', expect.stringContaining('public internet')],
		// An address of the list does not allow a name that leads there.
		['https://private.example/', expect.stringContaining('public internet')],
		['https://private.example./', expect.stringContaining('public internet')],
	])('%s: %s', async (url, expected) => {
		expect(await client.refusalOf(url)).toEqual(expected);
	});
});
