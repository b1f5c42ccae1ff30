import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Range } from '../../lib/history/plot.ts';
import { regionOf } from '../../lib/text/format.ts';

/** Times of a building in the reader's language, by the clocks on the building's walls. `zone` is an IANA name. */
export function useMoments(zone: () => string) {
	const { locale } = useI18n({ useScope: 'global' });
	const formats = computed(() => {
		const region = regionOf(locale.value, navigator.languages);
		const format = (options: Intl.DateTimeFormatOptions) =>
			new Intl.DateTimeFormat(region, { timeZone: zone(), ...options });
		return {
			full: format({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }),
			day: format({ hour: '2-digit', minute: '2-digit' }),
			week: format({ weekday: 'short', day: 'numeric' }),
			month: format({ day: 'numeric', month: 'short' }),
		};
	});
	return {
		full: (at: number) => formats.value.full.format(at),
		/** As it stands under a plot of that range. */
		mark: (at: number, range: Range) => formats.value[range].format(at),
	};
}
