import type { Alert } from '@crowdvision/contracts';

/** Most alerts kept on the page; resolved ones go first. */
export const MOST_ALERTS = 200;

/**
 * Takes alerts in: one id is one entry, whatever is told of it, and its later states replace the earlier in place. What
 * has been resolved stays so, and an `open` that comes late undoes nothing. Returns the new list, and which ids were
 * not known before.
 */
export function applyAlerts(
	held: readonly Alert[],
	incoming: readonly Alert[],
): { alerts: readonly Alert[]; added: Alert[] } {
	const byId = new Map(held.map((alert) => [alert.id, alert]));
	const added: Alert[] = [];
	for (const alert of incoming) {
		const known = byId.get(alert.id);
		if (known && !follows(known, alert)) continue;
		if (!known) added.push(alert);
		byId.set(alert.id, alert);
	}
	return { alerts: [...byId.values()].sort(byUrgency).slice(0, MOST_ALERTS), added };
}

function follows(known: Alert, next: Alert): boolean {
	if (known.state === 'resolved') return next.state === 'resolved';
	return next.state !== 'open' || known.state === 'open';
}

const URGENCY: Record<Alert['state'], number> = { escalated: 0, open: 0, acknowledged: 1, resolved: 2 };

function byUrgency(a: Alert, b: Alert): number {
	return URGENCY[a.state] - URGENCY[b.state] || b.observedAt - a.observedAt || (a.id < b.id ? -1 : 1);
}

/** Nobody has taken it up yet. */
export const needsAttention = (alert: Alert) => alert.state === 'open' || alert.state === 'escalated';
