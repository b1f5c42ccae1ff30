import type { CombinedView } from '@crowdvision/contracts';
import { useI18n } from 'vue-i18n';

/** How several counters became one value, as a few words in the reader's language; empty where there is one counter. */
export function useCombined(): (combined: CombinedView) => string {
	const { t } = useI18n({ useScope: 'global' });
	return ({ rule, counters, silent }) => {
		if (silent) return t('combined.incomplete', { n: silent.length, of: counters });
		return counters > 1 && rule !== 'last' ? t(`combined.${rule}`, { of: counters }) : '';
	};
}
