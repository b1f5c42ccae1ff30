import type { Alert } from '@crowdvision/contracts';
import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '../../api/http.ts';
import { age } from '../../lib/text/age.ts';
import { ageText, numberText, quantityText, regionOf, timeText } from '../../lib/text/format.ts';
import { useCatalog } from '../app/use-catalog.ts';
import { useCombined } from './use-combined.ts';

/** Codes whose general sentence is completed by the service's own message. */
const DETAILED = new Set<string>(['bad_request', 'conflict', 'invalid']);

/** Numbers, times, metrics, alerts and errors as text in the reader's language. */
export function useWords() {
	const { t, te, locale } = useI18n({ useScope: 'global' });
	const { catalog } = useCatalog();
	const describeCombined = useCombined();
	const region = computed(() => regionOf(locale.value, navigator.languages));

	const definition = (key: string) => (Object.hasOwn(catalog.value, key) ? catalog.value[key] : undefined);

	const words = {
		number: (value: number, decimals = 0) => numberText(region.value, value, decimals),
		metricLabel(key: string): string {
			const label = definition(key)?.label;
			return label ? (locale.value === 'it' ? label.it : label.en) : key;
		},
		quantity: (key: string, value: number, unit: string) =>
			quantityText(region.value, value, unit, definition(key)?.decimals ?? 1),
		age(observedAt: number, now: number): string {
			const { amount, unit } = age(observedAt, now);
			return amount === 0 ? t('rooms.now') : ageText(region.value, amount, unit);
		},
		time: (at: number, now: number) => timeText(region.value, at, now),
		/** What an alert is about; its own message if its kind has no sentence here. */
		alert({ kind, value, limit, message, combined }: Alert, room: string): string {
			if (value === undefined || limit === undefined) return message;
			if (kind === 'occupancy') {
				const how = combined ? describeCombined(combined) : '';
				const what = t('alerts.occupancy', { room, value: words.number(value), limit: words.number(limit) });
				return how ? `${what} (${how})` : what;
			}
			if (kind !== 'temperature') return message;
			const degrees = (amount: number) => words.quantity('temperature', amount, 'degC');
			return t('alerts.temperature', { room, value: degrees(value), limit: degrees(limit) });
		},
		/** What went wrong and what to do, for an error that was caught. */
		error(error: unknown): string {
			if (!(error instanceof ApiError)) return t('errors.unknown');
			const key = `errors.${error.code}`;
			const general = te(key) ? t(key) : error.message || t('errors.unknown');
			return DETAILED.has(error.code) && error.message ? `${general} ${error.message}` : general;
		},
	};
	return words;
}
