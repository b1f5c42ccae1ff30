import { describe, expect, it } from 'vitest';
import { COMMON_SETTINGS, readSettings } from '../process/settings.ts';
import type { Request } from './app.ts';
import { metricsGuard } from './metrics-access.ts';
import { Site } from './site.ts';

const TOKEN = 'a-token-for-Prometheus';

function mayRead(
	remoteAddress: string,
	env: Record<string, string> = {},
	headers: Record<string, string> = {},
): boolean {
	const settings = readSettings(COMMON_SETTINGS, env);
	const guard = metricsGuard(settings, new Site({ trustProxy: settings.TRUST_PROXY }));
	try {
		guard({ headers, socket: { remoteAddress } } as unknown as Request);
		return true;
	} catch (error) {
		expect(error).toMatchObject({ code: 'unauthenticated', message: expect.stringMatching(/METRICS_TOKEN/) });
		return false;
	}
}

describe('P14 /metrics on an open port', () => {
	it('is for this machine only, unless a setting says otherwise', () => {
		for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) expect(mayRead(address), address).toBe(true);
		for (const address of ['192.0.2.7', '10.0.0.7', '2001:db8::7', 'fe80::1', '::ffff:10.0.0.7'])
			expect(mayRead(address), address).toBe(false);
	});

	it('is refused to whom a proxy on this machine speaks for', () => {
		expect(mayRead('127.0.0.1', {}, { 'x-forwarded-for': '192.0.2.7' })).toBe(false);
		expect(mayRead('127.0.0.1', {}, { forwarded: 'for=192.0.2.7' })).toBe(false);
		expect(mayRead('192.0.2.7', {}, { 'x-forwarded-for': '127.0.0.1' })).toBe(false);
	});

	it('is open to the networks of METRICS_FROM', () => {
		expect(mayRead('172.18.0.5', { METRICS_FROM: 'loopback,uniquelocal' })).toBe(true);
		expect(mayRead('192.0.2.7', { METRICS_FROM: 'loopback,uniquelocal' })).toBe(false);
		expect(mayRead('192.0.2.7', { METRICS_FROM: '192.0.2.0/24' })).toBe(true);
		expect(mayRead('127.0.0.1', { METRICS_FROM: 'none' })).toBe(false);
	});

	it('is open to whoever sends METRICS_TOKEN', () => {
		const env = { METRICS_TOKEN: TOKEN, METRICS_FROM: 'none' };
		expect(mayRead('192.0.2.7', env, { authorization: `Bearer ${TOKEN}` })).toBe(true);
		expect(mayRead('192.0.2.7', env, { authorization: `bearer ${TOKEN} ` })).toBe(true);
		for (const authorization of ['Bearer', 'Bearer x', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`])
			expect(mayRead('192.0.2.7', env, { authorization }), authorization).toBe(false);
		expect(mayRead('192.0.2.7', {}, { authorization: 'Bearer undefined' })).toBe(false);
	});
});
