import type { BuildingState } from '@crowdvision/contracts';
import { type Chromium, launchChromium } from '@crowdvision/testing/chromium';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Standalone, startStandalone } from './standalone.ts';
import { EMAIL, PASSWORD, request } from './world.ts';

const SOON = { timeout: 20_000, interval: 100 };

describe('P9 a count on the page', () => {
	let world: Standalone;
	let chromium: Chromium;
	let page: Page;
	let device: string;
	const crosses = (metric: 'peopleIn' | 'peopleOut', value: number) =>
		request(world.http, 'POST', '/ingest', {
			token: device,
			body: { sensorId: 'try-door', buildingId: 'demo', roomId: 'studio', metric, value },
		});
	const studio = () => page.locator('[data-room="studio"]');
	const people = () => studio().getByTestId('people').textContent();
	const stateOfStudio = async () => ((await world.state()) as BuildingState).rooms.studio?.values.peopleCount;

	beforeAll(async () => {
		world = await startStandalone();
		device = (
			await world.call<{ token: string }>('POST', '/auth/domains/demo/devices', { name: 'door', buildingId: 'demo' })
		).token;
		chromium = await launchChromium({ width: 1366, height: 768 });
		page = await chromium.context.newPage();
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

	it('made of door crossings shows its error bound, and a correction by keyboard names its author', async () => {
		await studio().waitFor();
		expect(await studio().getByTestId('correct').count()).toBe(0);
		await crosses('peopleIn', 40);
		await crosses('peopleOut', 34);
		await expect.poll(people, SOON).toBe('6');
		const { low, high } = (await stateOfStudio())!;
		expect(await studio().getByTestId('interval').textContent()).toContain(`between ${low} and ${high}`);

		await studio().getByTestId('correct').focus();
		await page.keyboard.press('Enter');
		const dialog = page.getByRole('dialog', { name: /how many people are in studio/i });
		await dialog.waitFor();
		expect(await dialog.getByRole('spinbutton').inputValue()).toBe('6');
		await page.keyboard.press('Escape');
		await dialog.waitFor({ state: 'detached' });
		expect(
			await studio()
				.getByTestId('correct')
				.evaluate((button) => button.matches(':focus')),
		).toBe(true);

		await page.keyboard.press('Enter');
		await dialog.waitFor();
		await page.keyboard.press('ControlOrMeta+A');
		await page.keyboard.type('9');
		await page.keyboard.press('Tab');
		await page.keyboard.type('looked myself');
		await page.keyboard.press('Enter');
		await dialog.waitFor({ state: 'detached' });
		await expect.poll(people, SOON).toBe('9');
		expect(await studio().getByTestId('interval').count()).toBe(0);
		expect(await stateOfStudio()).toMatchObject({ value: 9, low: 9, high: 9 });

		await crosses('peopleIn', 1);
		await expect.poll(people, SOON).toBe('10');
		await studio().getByTestId('room-link').click();
		const audit = page.getByTestId('audit');
		await audit.waitFor();
		const [newest, corrected] = await audit.getByRole('listitem').allInnerTexts();
		expect(newest).toContain('try-door: 1 in, 0 out');
		expect(corrected).toContain('Corrected by');
		expect(corrected).toContain('looked myself');
		expect(corrected).toContain('From 6 to 9');
	});
});
