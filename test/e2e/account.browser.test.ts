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
		// Sessions of one second stand in any order, so that the first row may be any of the last ones begun.
		const stillOpen = await Promise.all(tokens.map(isOpen));
		expect(stillOpen.filter((one) => !one)).toHaveLength(1);
		expect(stillOpen[0]).toBe(true);

		await page.getByTestId('end-others').click();
		await expect.poll(() => sessions.count(), SOON).toBe(1);
		expect(await isOpen(tokens[0]!)).toBe(false);
		await page.reload();
		await expect.poll(() => sessions.count(), SOON).toBe(1);
	});

	it('changes the password after the one so far, and says why where it cannot', async () => {
		const body = { email: 'eva@example.org', password: 'correct horse', name: 'Eva Neri' };
		await request(world.http, 'POST', '/auth/register', { body });
		const elsewhere = (await login(body)).token;
		const other = await launchChromium({ width: 390, height: 844 });
		onTestFinished(() => other.close());
		const own = await other.context.newPage();
		await signIn(own, `${world.http}/?view=account`, body);
		const form = own.getByTestId('password-change');
		const change = async (password: string, newPassword: string) => {
			await form.getByLabel('Password so far').fill(password);
			await form.getByLabel('New password').fill(newPassword);
			await form.getByRole('button').click();
		};
		await change('a wrong one', 'battery staple');
		await form.getByText('This is not your password').waitFor();
		await change(body.password, 'battery staple');
		await form.getByText('The password is changed').waitFor();
		await expect.poll(() => own.getByTestId('session').count(), SOON).toBe(1);

		await expect(login(body)).rejects.toThrow('wrong_credentials');
		await login({ ...body, password: 'battery staple' });
		const me = await fetch(`${world.http}/auth/me`, { headers: { authorization: `Bearer ${elsewhere}` } });
		expect(me.status).toBe(401);
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

describe('P14 the page of the members', () => {
	it('lists more members than a page holds, and makes a link by which one of them sets a new password', async () => {
		await world.call('PATCH', '/auth/domains/demo', { public: true });
		for (let n = 10; n < 32; n++) {
			const body = { email: `m${n}@example.org`, password: 'correct horse', name: `Member ${n}` };
			const { token } = await request<{ token: string }>(world.http, 'POST', '/auth/register', { body });
			await request(world.http, 'POST', '/auth/domains/demo/join', { token, body: {} });
		}
		await page.goto(`${world.http}/`);
		await open(page, 'go-members');
		const members = page.getByTestId('member');
		await expect.poll(() => members.count(), SOON).toBe(20);
		await page.getByTestId('more').click();
		await expect.poll(() => members.count(), SOON).toBe(23);

		const member = members.filter({ hasText: 'Member 31' });
		await member.getByTestId('reset-link').click();
		const link = await member.getByTestId('made-link').getByRole('textbox').inputValue();
		expect(link).toMatch(new RegExp(`^${world.http}/#reset=`));
		const guest = await chromium.context.newPage();
		await guest.goto(link);
		await guest.getByLabel('New password').fill('battery staple');
		await guest.getByTestId('reset').getByRole('button', { name: 'Set the password' }).click();
		await guest.getByTestId('password-set').waitFor();
		await guest.close();
		await login({ email: 'm31@example.org', password: 'battery staple' });
	});
});

describe('P14 two installations on one host', () => {
	it('keep their sessions apart in one browser: signing in to and out of one leaves the other signed in', async () => {
		const other = await startStandalone();
		onTestFinished(() => other.stop());
		expect(new URL(other.http).hostname).toBe(new URL(world.http).hostname);
		await page.goto(world.http);
		await page.getByTestId('menu').waitFor();
		const second = await chromium.context.newPage();
		await signIn(second, other.http);
		await page.reload();
		await page.locator('[data-testid="connection"][data-state="live"]').waitFor();

		await second.getByTestId('menu').click();
		await second.getByTestId('sign-out').click();
		await second.getByTestId('sign-in').waitFor();
		await page.reload();
		await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
		const names = (await chromium.context.cookies(world.http)).map(({ name }) => name);
		expect(names.filter((name) => name.startsWith('crowdvision_session-'))).toHaveLength(1);
	});
});
