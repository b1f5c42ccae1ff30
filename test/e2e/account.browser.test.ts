import { type Chromium, launchChromium } from '@crowdvision/testing/chromium';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Standalone, startStandalone } from './standalone.ts';
import { EMAIL, PASSWORD, request } from './world.ts';

const SOON = { timeout: 20_000, interval: 100 };
const ADA = { email: 'ada@example.org', password: 'correct horse', name: 'Ada Rossi' };

let world: Standalone;
let chromium: Chromium;
let page: Page;

const login = (credentials = { email: EMAIL, password: PASSWORD }) =>
	request<{ token: string }>(world.http, 'POST', '/auth/login', { body: credentials });

async function signIn(on: Page, http: string, credentials = { email: EMAIL, password: PASSWORD }): Promise<void> {
	await on.goto(http);
	await on.getByLabel(/e-?mail/i).fill(credentials.email);
	await on.getByLabel(/password/i).fill(credentials.password);
	await on
		.getByTestId('sign-in')
		.getByRole('button', { name: /sign in/i })
		.click();
	await on.getByTestId('menu').waitFor();
}

/** Opens a page of the menu, as a reader would. */
async function open(on: Page, link: string): Promise<void> {
	await on.getByTestId('menu').click();
	await on.getByTestId(link).click();
}

beforeAll(async () => {
	world = await startStandalone();
	chromium = await launchChromium({ width: 1366, height: 768 });
	page = await chromium.context.newPage();
	await signIn(page, world.http);
}, 120_000);
afterAll(async () => {
	await chromium?.close();
	await world?.stop();
});

describe("P14 the page of one's account", () => {
	it('lists more sessions than a page holds, and ends one of them and then all others', async () => {
		const tokens: string[] = [];
		for (let n = 0; n < 22; n++) tokens.push((await login()).token);
		const isOpen = async (token: string) =>
			(await fetch(`${world.http}/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status === 200;
		await open(page, 'go-account');
		const sessions = page.getByTestId('session');
		await expect.poll(() => sessions.count(), SOON).toBe(20);
		await page.getByTestId('more').click();
		await expect.poll(() => sessions.count(), SOON).toBe(23);
		expect(await sessions.filter({ hasText: 'This browser' }).textContent()).toContain('Chrome on Linux');

		await sessions.first().getByRole('button').click();
		await expect.poll(() => sessions.count(), SOON).toBe(22);
		expect(await isOpen(tokens.at(-1)!)).toBe(false);
		expect(await isOpen(tokens[0]!)).toBe(true);

		await page.getByTestId('end-others').click();
		await expect.poll(() => sessions.count(), SOON).toBe(1);
		expect(await isOpen(tokens[0]!)).toBe(false);
		await page.reload();
		await expect.poll(() => sessions.count(), SOON).toBe(1);
	});

	it('deletes the account after its password, and says why where it cannot', async () => {
		await page.goto(`${world.http}/?view=account`);
		await page.getByTestId('delete-account').click();
		const dialog = page.getByTestId('delete-account-form');
		await dialog.getByLabel('Password').fill('not it');
		await dialog.getByRole('button', { name: 'Delete for good' }).click();
		await dialog.getByText('This is not your password.').waitFor();
		await dialog.getByLabel('Password').fill(PASSWORD);
		await dialog.getByRole('button', { name: 'Delete for good' }).click();
		await dialog.getByText('You are the only administrator of a domain.').waitFor();

		const other = await launchChromium({ width: 390, height: 844 });
		onTestFinished(() => other.close());
		const second = await other.context.newPage();
		await request(world.http, 'POST', '/auth/register', { body: ADA });
		await signIn(second, `${world.http}/?view=account`, ADA);
		await second.getByTestId('delete-account').click();
		await second.getByTestId('delete-account-form').getByLabel('Password').fill(ADA.password);
		await second.keyboard.press('Enter');
		await second.getByTestId('sign-in').waitFor();
		await expect(login(ADA)).rejects.toThrow('wrong_credentials');
	});
});
