import type { Alert } from '@crowdvision/contracts';

/** The most alerts the page holds; unresolved ones are never dropped. */
export const MAX_ALERTS = 200;

/**
 * Merges alerts into the list: one entry per id, in which later states replace earlier ones. A resolved alert stays
 * resolved, and an `open` that arrives late changes nothing. Returns the new list, most urgent first, and the alerts
 * whose ids were new.
 * @param most how many to keep; unresolved ones are all kept
 */
export function mergeAlerts(
	current: readonly Alert[],
	incoming: readonly Alert[],
	most = MAX_ALERTS,
): { alerts: readonly Alert[]; added: Alert[] } {
	const byId = new Map(current.map((alert) => [alert.id, alert]));
	const added: Alert[] = [];
	for (const alert of incoming) {
		const known = byId.get(alert.id);
		if (known && !mayFollow(known, alert)) continue;
		if (!known) added.push(alert);
		byId.set(alert.id, alert);
	}
	const sorted = [...byId.values()].sort(byUrgency);
	const unresolved = sorted.filter(({ state }) => state !== 'resolved').length;
	return { alerts: sorted.slice(0, Math.max(most, unresolved)), added };
}

/** Whether the state of `next` is a later one than that of `known`, or the same. */
function mayFollow(known: Alert, next: Alert): boolean {
	if (known.state === 'resolved') return next.state === 'resolved';
	return next.state !== 'open' || known.state === 'open';
}

const URGENCY: Record<Alert['state'], number> = { escalated: 0, open: 0, acknowledged: 1, resolved: 2 };

function byUrgency(a: Alert, b: Alert): number {
	return URGENCY[a.state] - URGENCY[b.state] || b.observedAt - a.observedAt || (a.id < b.id ? -1 : 1);
}

/** Whether nobody has acknowledged the alert yet. */
export const needsAttention = (alert: Alert) => alert.state === 'open' || alert.state === 'escalated';
