import { createI18n } from 'vue-i18n';
import { readChoice } from '../lib/app/local-storage.ts';
import { en } from './en.ts';
import { it } from './it.ts';

export const LOCALES = ['en', 'it'] as const;
export type Locale = (typeof LOCALES)[number];

/** The first language of `preferred` (as in navigator.languages) that the page has texts in, else English. */
export function chooseLocale(preferred: readonly string[]): Locale {
	for (const tag of preferred) {
		const language = tag.toLowerCase().split('-', 1)[0];
		const match = LOCALES.find((locale) => locale === language);
		if (match) return match;
	}
	return 'en';
}

/** The translations of the page, starting in the language stored in this browser, else in the browser's own. */
export function createTranslations() {
	const locale = readChoice('locale', LOCALES) ?? chooseLocale(navigator.languages);
	document.documentElement.lang = locale;
	return createI18n({ legacy: false, locale, fallbackLocale: 'en', messages: { en, it } });
}
