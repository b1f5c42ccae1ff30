import type { ErrorBody } from '@crowdvision/contracts';
import { type Chromium, launchChromium } from '@crowdvision/testing/chromium';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMAIL, PASSWORD, type World } from './world.ts';

const SOON = { timeout: 20_000, interval: 100 };
const STUDIO = 'studio';

/**
 * What a visitor sees, from the wire of a sensor to the browser; the same for every composition. `start` is called
 * once.
 */
export function describeEndToEnd(name: string, start: () => Promise<World>): void {
	describe(`from a sensor's wire to a browser: ${name}`, () => {
		let world: World;
		let chromium: Chromium;
		let page: Page;
		const studio = (selector: string) => page.locator(`[data-room="${STUDIO}"] ${selector}`);

		beforeAll(async () => {
			world = await start();
			chromium = await launchChromium({ width: 1366, height: 768, trusting: world.http });
			page = await chromium.context.newPage();
			await page.goto(world.http);
			await page.getByLabel(/e-?mail/i).fill(EMAIL);
			await page.getByLabel(/password/i).fill(PASSWORD);
			await page
				.getByTestId('sign-in')
				.getByRole('button', { name: /sign in/i })
				.click();
			await page.getByTestId('room').first().waitFor();
		}, 180_000);
		afterAll(async () => {
			await chromium?.close();
			await world?.stop();
		});

		it('is alive, ready and has metrics', async () => {
			for (const base of world.probes) {
				for (const path of ['/healthz', '/readyz', '/metrics'])
					expect((await fetch(base + path)).status, base + path).toBe(200);
			}
		});

		it('tells anybody which metrics there are and how its API is spoken to, and nothing of its inside', async () => {
			const get = (path: string) => fetch(world.http + path);
			expect(await (await get('/twin/metrics')).json()).toMatchObject({ metrics: { peopleCount: { unit: 'person' } } });
			expect(await (await get('/docs/openapi.json')).json()).toMatchObject({ openapi: expect.stringMatching(/^3\./) });
			for (const service of ['auth', 'twin', 'notification', 'llm', 'gateway']) {
				for (const inside of ['healthz', 'readyz', ...(service === 'twin' ? [] : ['metrics'])]) {
					const answer = await get(`/${service}/${inside}`);
					expect([answer.status, ((await answer.json()) as ErrorBody).error.code], `/${service}/${inside}`).toEqual([
						404,
						'not_found',
					]);
				}
			}
		});

		it('shows live values that came by every transport', async () => {
			await expect
				.poll(
					async () =>
						new Set(
							await page
								.locator('[data-testid="room"] [data-transport]')
								.evaluateAll((marks) => marks.map((mark) => mark.getAttribute('data-transport'))),
						),
					SOON,
				)
				.toEqual(new Set(world.transports));
			await expect.poll(() => page.getByTestId('connection').getAttribute('data-state'), SOON).toBe('live');
		});

		it('leads from its menu to the licences of the packages it is made of', async () => {
			await page.getByTestId('menu').click();
			const link = await page.getByTestId('notices').getAttribute('href');
			await page.keyboard.press('Escape');
			const answer = await fetch(new URL(link!, world.http));
			expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
			expect(await answer.text()).toMatch(/^@vue\/runtime-core \S+ \(MIT\): page$/m);
		});

		it('shows a room without a sensor as unknown, not as empty', async () => {
			expect(await studio('[data-testid="people"]').textContent()).toMatch(/no data/i);
		});

		it('takes each printed line as it is pasted, and shows what it sent', async () => {
			const { http, mqtt, 'socket.io': socketIo, serial } = world.examples;
			expect(await world.paste(http!)).toBe('{"accepted":1}');
			expect(await world.paste(mqtt!)).toBe('');
			expect(await world.paste(socketIo!)).toMatch(/ok: true, accepted: 1/);
			if (serial) expect(await world.paste(serial)).toBe('');
			await expect.poll(() => studio('[data-testid="people"]').textContent(), SOON).toBe('4');
			await expect.poll(() => studio('[data-metric="temperature"]').textContent(), SOON).toContain('21.5');
			await expect.poll(() => studio('[data-metric="humidity"]').textContent(), SOON).toContain('45');
			if (serial) await expect.poll(() => studio('[data-metric="co2"]').textContent(), SOON).toContain('640');
		});

		it('raises exactly one alert for an overcrowded room, and ends it', async () => {
			const ofStudio = async () => (await world.alerts()).filter(({ roomId }) => roomId === STUDIO);
			const shown = page.locator('[data-testid="alert"]').filter({ hasText: /studio/i });
			for (const count of [11, 12, 10, 13]) await world.studioCount(count);
			await expect.poll(() => studio('[data-testid="people"]').textContent(), SOON).toBe('13');
			await expect.poll(() => shown.count(), SOON).toBe(1);
			expect(await shown.getAttribute('data-state')).toBe('open');
			expect(await ofStudio()).toMatchObject([{ kind: 'occupancy', state: 'open', value: 11, limit: 10 }]);
			await world.studioCount(3);
			await expect.poll(async () => (await ofStudio()).map(({ state }) => state), SOON).toEqual(['resolved']);
			await expect
				.poll(
					() =>
						page
							.locator('[data-testid="alert"][data-state="open"]')
							.filter({ hasText: /studio/i })
							.count(),
					SOON,
				)
				.toBe(0);
		});

		it('keeps history: count and average per bucket', async () => {
			const from = Date.now() - 3600_000;
			const ask = (agg: string) =>
				world.call<{ points: { value: number | null }[] }>(
					'GET',
					`/twin/buildings/demo/history?room=${STUDIO}&metric=temperature` +
						`&from=${from}&to=${Date.now() + 60_000}&bucket=1d&agg=${agg}`,
				);
			const values = async (agg: string) =>
				(await ask(agg)).points.map(({ value }) => value).filter((value) => value !== null);
			// The hour before may reach into another day, whose bucket then counts none.
			expect((await values('count')).filter((count) => count > 0)).toEqual([1]);
			expect(await values('avg')).toEqual([21.5]);
		});

		it('leads from a room to its past, by the address and by the keyboard, and back', async () => {
			await studio('[data-testid="room-link"]').click();
			await page.getByTestId('room-page').waitFor();
			await page.getByTestId('metric').selectOption('temperature');
			await page.getByTestId('plot').press('End');
			await expect.poll(() => page.getByTestId('readout').textContent(), SOON).toContain('21.5');
			expect(new URL(page.url()).searchParams.get('metric')).toBe('temperature');
			await page.goBack();
			await page.goBack();
			await page.getByTestId('room').first().waitFor();
		});

		it('answers which room is the least crowded, from what was measured', async () => {
			const told = await world.call<{ answer: string; grounded: boolean; citations: { kind: string }[] }>(
				'POST',
				'/llm/ask',
				{
					question: 'Which room is the least crowded?',
				},
			);
			expect(told).toMatchObject({ grounded: true, citations: [{ kind: 'room' }] });
		});

		it('catches up after the page was reloaded, and goes on', async () => {
			await page.reload();
			await expect.poll(() => studio('[data-testid="people"]').textContent(), SOON).toBe('3');
			await world.studioCount(5);
			await expect.poll(() => studio('[data-testid="people"]').textContent(), SOON).toBe('5');
		});
	});
}
