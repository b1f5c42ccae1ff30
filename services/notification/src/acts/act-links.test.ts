import { describe, expect, it } from 'vitest';
import { ActLinks } from './act-links.ts';

const HOUR = 3600_000;

describe('A7 the token of a link', () => {
	it('says who acts on what, is the same at each attempt, and holds for two days', () => {
		let now = 1000 * HOUR;
		const links = new ActLinks('secret', () => now);
		const token = links.tokenFor('alert', { accountId: 'ada' });
		now += 60_000;
		expect(links.read(token)).toEqual({ alertId: 'alert', accountId: 'ada' });
		expect(links.read(links.tokenFor('alert', { webhook: 'w' }))).toEqual({ alertId: 'alert', webhook: 'w' });
		now += 48 * HOUR;
		expect(links.read(token)).toBeUndefined();
	});

	it('is void where it was altered or made with another secret', () => {
		const links = new ActLinks('secret', () => 0);
		const token = links.tokenFor('alert', { accountId: 'ada' });
		const [body, signature] = token.split('.');
		const other = Buffer.from(JSON.stringify(['other', 'aada', 48])).toString('base64url');
		for (const altered of [`${other}.${signature}`, `${body}.`, body!, '', `${token}a`])
			expect(links.read(altered)).toBeUndefined();
		expect(new ActLinks('another', () => 0).read(token)).toBeUndefined();
	});
});
