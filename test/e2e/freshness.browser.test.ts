import { type Chromium, launchChromium } from '@crowdvision/testing/chromium';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Standalone, startStandalone } from './standalone.ts';
import { EMAIL, PASSWORD } from './world.ts';

const SOON = { timeout: 20_000, interval: 100 };
const MINUTE = 60_000;

describe('P8 the page, cut off from everything', () => {
	let world: Standalone;
	let chromium: Chromium;
	let page: Page;
	const statuses = () =>
		page
			.getByTestId('room')
			.evaluateAll((cards) => cards.map((card) => [card.getAttribute('data-room'), card.getAttribute('data-status')]));
	const ofStatus = async (wanted: (status: string) => boolean) =>
		(await statuses()).filter(([, status]) => wanted(status!)).map(([room]) => room);
	const unknown = (status: string) => status === 'stale' || status === 'offline' || status === 'no-data';

	beforeAll(async () => {
		world = await startStandalone();
		chromium = await launchChromium({ width: 1366, height: 768 });
		page = await chromium.context.newPage();
		await page.clock.install();
		await page.goto(world.http);
		await page.getByLabel(/e-?mail/i).fill(EMAIL);
		await page.getByLabel(/password/i).fill(PASSWORD);
		await page
			.getByTestId('sign-in')
			.getByRole('button', { name: /sign in/i })
			.click();
	});
	afterAll(async () => {
		await chromium?.close();
		await world?.stop();
	});

	it('greys out every value at its deadline, and never shows an unknown value as 0', async () => {
		await expect.poll(async () => (await ofStatus((status) => !unknown(status))).length, SOON).toBeGreaterThan(2);
		await expect.poll(() => page.getByTestId('connection').getAttribute('data-state'), SOON).toBe('live');
		const never = await ofStatus((status) => status === 'no-data');
		const counted = await ofStatus((status) => !unknown(status));
		await world.process.kill('SIGKILL');
		await expect.poll(() => page.getByTestId('connection').getAttribute('data-state'), SOON).not.toBe('live');
		await page.clock.fastForward(4 * MINUTE);
		expect(await ofStatus((status) => !unknown(status))).toEqual(counted);
		await page.clock.fastForward(1.5 * MINUTE);
		await expect.poll(() => ofStatus((status) => status === 'stale'), SOON).toEqual(counted);
		expect(await ofStatus((status) => status === 'no-data')).toEqual(never);
		await page.getByTestId('total-unknown').waitFor();
		expect(await page.getByTestId('total-people').count()).toBe(0);
		const first = page.locator(`[data-room="${counted[0]}"]`);
		expect(await first.getByTestId('status').textContent()).toContain('Out of date');
		expect(await first.getByTestId('status').locator('svg').count()).toBe(1);
		for (const mark of await first
			.locator('.foot [data-testid="freshness"], [data-metric="temperature"] [data-testid="freshness"]')
			.all()) {
			expect(await mark.getAttribute('data-freshness')).toBe('stale');
		}
		expect(await page.locator(`[data-room="${never[0]}"]`).getByTestId('people').textContent()).toMatch(/no data/i);
	});
});
