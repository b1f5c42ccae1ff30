import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Range } from '../../lib/history/plot.ts';
import { regionOf } from '../../lib/text/format.ts';

/** Formats times (epoch ms) in the reader's language and the building's time zone. `zone` is an IANA name. */
export function useBuildingTime(zone: () => string) {
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
		/** The label of a tick under a plot of `range`. */
		tick: (at: number, range: Range) => formats.value[range].format(at),
	};
}
