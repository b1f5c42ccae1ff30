import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { nextTick } from 'vue';
import { mount } from '../../testing/mount.ts';
import { applyTheme, useLocale, useTheme } from './use-preferences.ts';

let stored: Map<string, string>;
let system: EventTarget & { matches: boolean };
let page: { lang: string; dataset: { theme?: string } };

/** Switches the system between light and dark. */
async function setSystem(dark: boolean): Promise<void> {
	system.matches = dark;
	system.dispatchEvent(new Event('change'));
	await nextTick();
}

beforeEach(() => {
	stored = new Map();
	system = Object.assign(new EventTarget(), { matches: false });
	page = { lang: 'en', dataset: {} };
	vi.stubGlobal('matchMedia', () => system);
	vi.stubGlobal('document', { documentElement: page });
	vi.stubGlobal('localStorage', {
		getItem: (key: string) => stored.get(key) ?? null,
		setItem: (key: string, value: string) => stored.set(key, value),
	});
	onTestFinished(() => void vi.unstubAllGlobals());
});

describe('the theme of the page', () => {
	it('follows the system until one is chosen, and again when the choice is taken back', async () => {
		const { result: theme } = mount(() => {
			applyTheme();
			return useTheme();
		});
		expect([theme.value, page.dataset.theme]).toEqual(['auto', 'light']);
		await setSystem(true);
		expect(page.dataset.theme).toBe('dark');
		theme.value = 'light';
		await nextTick();
		expect(page.dataset.theme).toBe('light');
		expect(stored.get('crowdvision.theme')).toBe('light');
		theme.value = 'auto';
		await nextTick();
		expect(page.dataset.theme).toBe('dark');
	});

	it('follows the system no more after the page is closed', async () => {
		mount(() => applyTheme()).unmount();
		await setSystem(true);
		expect(page.dataset.theme).toBe('light');
	});
});

describe('the language of the page', () => {
	it('is stored in this browser, and named to it, when it is chosen', () => {
		const { result: locale } = mount(useLocale);
		expect(locale.value).toBe('en');
		locale.value = 'it';
		expect(locale.value).toBe('it');
		expect(page.lang).toBe('it');
		expect(stored.get('crowdvision.locale')).toBe('it');
	});

	it('lasts as long as the page where the browser stores nothing', () => {
		vi.stubGlobal('localStorage', {
			setItem() {
				throw new DOMException('forbidden', 'SecurityError');
			},
		});
		const { result: locale } = mount(useLocale);
		locale.value = 'it';
		expect(locale.value).toBe('it');
	});
});
