import { createI18n } from 'vue-i18n';
import { kept } from '../lib/app/local-storage.ts';
import { en } from './en.ts';
import { it } from './it.ts';

export const LOCALES = ['en', 'it'] as const;
export type Locale = (typeof LOCALES)[number];

/** The first of `preferred` (as in navigator.languages) that the page speaks, else English. */
export function chooseLocale(preferred: readonly string[]): Locale {
	for (const tag of preferred) {
		const language = tag.toLowerCase().split('-', 1)[0];
		const match = LOCALES.find((locale) => locale === language);
		if (match) return match;
	}
	return 'en';
}

/** The page's languages, beginning with the one chosen here before, else the browser's. */
export function createTranslations() {
	const locale = kept('locale', LOCALES) ?? chooseLocale(navigator.languages);
	document.documentElement.lang = locale;
	return createI18n({ legacy: false, locale, fallbackLocale: 'en', messages: { en, it } });
}
