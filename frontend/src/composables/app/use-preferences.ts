import { computed, onScopeDispose, ref, watchEffect } from 'vue';
import { useI18n } from 'vue-i18n';
import { LOCALES, type Locale } from '../../i18n/index.ts';
import { readChoice, storeChoice } from '../../lib/app/local-storage.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const theme = ref<Theme>(readChoice('theme', THEMES) ?? 'auto');

/**
 * Applies the chosen theme to the page; `auto` follows the system's setting. Call once, at the root; others use
 * `useTheme`.
 */
export function applyTheme(): void {
	const dark = matchMedia('(prefers-color-scheme: dark)');
	const systemIsDark = ref(dark.matches);
	const onChange = () => {
		systemIsDark.value = dark.matches;
	};
	dark.addEventListener('change', onChange);
	onScopeDispose(() => dark.removeEventListener('change', onChange));
	watchEffect(() => {
		const system = systemIsDark.value ? 'dark' : 'light';
		document.documentElement.dataset.theme = theme.value === 'auto' ? system : theme.value;
	});
}

/** The theme; a new one is stored in this browser. */
export function useTheme() {
	return computed({
		get: () => theme.value,
		set: (next: Theme) => {
			theme.value = next;
			storeChoice('theme', next);
		},
	});
}

/** The language of the page; a new one is stored in this browser. */
export function useLocale() {
	const { locale } = useI18n({ useScope: 'global' });
	return computed({
		get: () => LOCALES.find((candidate) => candidate === locale.value) ?? 'en',
		set: (next: Locale) => {
			locale.value = next;
			document.documentElement.lang = next;
			storeChoice('locale', next);
		},
	});
}
