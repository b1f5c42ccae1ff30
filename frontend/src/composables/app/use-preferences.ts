import { computed, onScopeDispose, ref, watchEffect } from 'vue';
import { useI18n } from 'vue-i18n';
import { LOCALES, type Locale } from '../../i18n/index.ts';
import { keep, kept } from '../../lib/app/local-storage.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const theme = ref<Theme>(kept('theme', THEMES) ?? 'auto');

/**
 * Light or dark, as chosen or as the system has it. Kept in this browser. Call once, at the root; others use
 * `useTheme`.
 */
export function useThemeOnPage(): void {
	const dark = matchMedia('(prefers-color-scheme: dark)');
	const systemIsDark = ref(dark.matches);
	const onChange = () => {
		systemIsDark.value = dark.matches;
	};
	dark.addEventListener('change', onChange);
	onScopeDispose(() => dark.removeEventListener('change', onChange));
	watchEffect(() => {
		const shown = theme.value === 'auto' ? (systemIsDark.value ? 'dark' : 'light') : theme.value;
		document.documentElement.dataset.theme = shown;
	});
}

export function useTheme() {
	return computed({
		get: () => theme.value,
		set: (next: Theme) => {
			theme.value = next;
			keep('theme', next);
		},
	});
}

/** The language of the page. Kept in this browser. */
export function useLocale() {
	const { locale } = useI18n({ useScope: 'global' });
	return computed({
		get: () => LOCALES.find((candidate) => candidate === locale.value) ?? 'en',
		set: (next: Locale) => {
			locale.value = next;
			document.documentElement.lang = next;
			keep('locale', next);
		},
	});
}
