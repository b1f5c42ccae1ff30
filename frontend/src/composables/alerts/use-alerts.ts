import type { Alert } from '@crowdvision/contracts';
import { shallowRef } from 'vue';
import { acknowledgeAlert, getAlerts } from '../../api/endpoints.ts';
import { applyAlerts } from '../../lib/alerts/alert-list.ts';

/** The alerts of the account. `onNew` is called for each that begins while the page is open, once per id. */
export function useAlerts(onNew: (alert: Alert) => void) {
	const alerts = shallowRef<readonly Alert[]>([]);
	const trouble = shallowRef<unknown>();
	const acknowledging = shallowRef<ReadonlySet<string>>(new Set());
	const refusals = shallowRef<ReadonlyMap<string, unknown>>(new Map());
	let listed = false;

	const take = (incoming: readonly Alert[], announce: boolean) => {
		const { alerts: next, added } = applyAlerts(alerts.value, incoming);
		alerts.value = next;
		if (announce) for (const alert of added) if (alert.state !== 'resolved') onNew(alert);
	};

	return {
		alerts,
		trouble,
		acknowledging,
		refusals,
		/** The service's `notification` event. */
		take: (alert: Alert) => take([alert], true),
		/** Asks for the list: at the start, and after each reconnect, for what was announced meanwhile. */
		async load(): Promise<void> {
			try {
				const { alerts: list } = await getAlerts();
				take(list, listed);
				listed = true;
				trouble.value = undefined;
			} catch (error) {
				trouble.value = error;
			}
		},
		async acknowledge(id: string): Promise<void> {
			acknowledging.value = new Set(acknowledging.value).add(id);
			const told = new Map(refusals.value);
			told.delete(id);
			try {
				take([await acknowledgeAlert(id)], false);
			} catch (error) {
				told.set(id, error);
			} finally {
				refusals.value = told;
				const left = new Set(acknowledging.value);
				left.delete(id);
				acknowledging.value = left;
			}
		},
	};
}
