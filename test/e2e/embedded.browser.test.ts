import { launchChromium } from '@crowdvision/testing/chromium';
import { startNode } from '@crowdvision/testing/processes';
import { afterAll, describe, expect, it } from 'vitest';
import { describeEndToEnd } from './scenario.ts';
import { type Standalone, startStandalone } from './standalone.ts';

describeEndToEnd('embedded', () => startStandalone());

describe('starting and stopping', () => {
	let world: Standalone | undefined;
	afterAll(() => world?.stop());

	it('starts empty with DEMO=0, and its first page creates the first account', async () => {
		world = await startStandalone({ DEMO: '0' });
		const chromium = await launchChromium();
		try {
			const page = await chromium.context.newPage();
			await page.goto(world.http);
			await page.getByTestId('first-run').waitFor();
		} finally {
			await chromium.close();
		}
	});

	it('exits 0 on SIGTERM', async () => {
		expect(await world!.process.kill('SIGTERM')).toEqual({ code: 0, signal: null });
	});

	it('names every bad setting, its value and what is allowed, and exits 1 before a port is open', async () => {
		const process = await startNode('standalone.ts', {
			env: { PORT: '99999', LOG_LEVEL: 'loud', JWT_SECRET: 'short' },
		});
		expect((await process.exited).code).toBe(1);
		expect(process.stderr()).toContain('PORT is "99999", but must be a whole number from 0 to 65535');
		expect(process.stderr()).toContain('LOG_LEVEL is "loud", but must be one of');
		expect(process.stderr()).toContain('JWT_SECRET is set, but must be at least 32 characters');
		expect(process.stderr()).not.toContain('short');
		expect(process.stdout()).toBe('');
	});
});
