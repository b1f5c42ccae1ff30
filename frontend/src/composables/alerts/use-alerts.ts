import type { Alert } from '@crowdvision/contracts';
import { computed, shallowRef } from 'vue';
import { acknowledgeAlert, getAlerts } from '../../api/endpoints.ts';
import { MAX_ALERTS, mergeAlerts } from '../../lib/alerts/alert-list.ts';

/** The account's alerts. `onNew` is called once per id for each alert that opens while the page is open. */
export function useAlerts(onNew: (alert: Alert) => void) {
	const alerts = shallowRef<readonly Alert[]>([]);
	/** Why the list could not be loaded; undefined once it was. */
	const error = shallowRef<unknown>();
	/** Ids of the alerts whose acknowledgement is on its way. */
	const acknowledging = shallowRef<ReadonlySet<string>>(new Set());
	/** By id, why an acknowledgement failed. */
	const refusals = shallowRef<ReadonlyMap<string, unknown>>(new Map());
	let loaded = false;
	/** How many alerts are kept: more where more were asked for. */
	let most = MAX_ALERTS;
	/** Where the alerts begin that are not loaded yet. */
	const next = shallowRef<string>();

	const merge = (incoming: readonly Alert[], announce: boolean) => {
		const { alerts: merged, added } = mergeAlerts(alerts.value, incoming, most);
		alerts.value = merged;
		if (announce) for (const alert of added) if (alert.state !== 'resolved') onNew(alert);
	};

	return {
		alerts,
		error,
		acknowledging,
		refusals,
		/** Handles the service's `notification` event. */
		onNotification: (alert: Alert) => merge([alert], true),
		/** Loads the list: at the start, and after each reconnect, to get the alerts that were announced meanwhile. */
		async load(): Promise<void> {
			try {
				let page = await getAlerts();
				merge(page.alerts, loaded);
				// Those that are not over come first, however many there are: none of them may be missing.
				while (page.nextCursor !== undefined && page.alerts.every(({ state }) => state !== 'resolved')) {
					page = await getAlerts(page.nextCursor);
					merge(page.alerts, loaded);
				}
				next.value = page.nextCursor;
				loaded = true;
				error.value = undefined;
			} catch (reason) {
				error.value = reason;
			}
		},
		/** Whether there are more alerts than are loaded. */
		hasMore: computed(() => next.value !== undefined),
		/** Loads the next page of the alerts that are over. */
		async loadMore(): Promise<void> {
			if (next.value === undefined) return;
			try {
				const page = await getAlerts(next.value);
				most = Math.max(most, alerts.value.length + page.alerts.length);
				merge(page.alerts, false);
				next.value = page.nextCursor;
				error.value = undefined;
			} catch (reason) {
				error.value = reason;
			}
		},
		async acknowledge(id: string): Promise<void> {
			acknowledging.value = new Set(acknowledging.value).add(id);
			let refusal: unknown;
			try {
				merge([await acknowledgeAlert(id)], false);
			} catch (reason) {
				refusal = reason;
			} finally {
				const others = new Map(refusals.value);
				others.delete(id);
				refusals.value = refusal === undefined ? others : others.set(id, refusal);
				const pending = new Set(acknowledging.value);
				pending.delete(id);
				acknowledging.value = pending;
			}
		},
	};
}
