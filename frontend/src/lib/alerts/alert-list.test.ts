import type { Alert } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyAlerts, MOST_ALERTS, needsAttention } from './alert-list.ts';

const alert = (id: string, over: Partial<Alert> = {}): Alert => ({
	id,
	domainNames: ['demo'],
	buildingId: 'b',
	roomId: 'hall',
	kind: 'occupancy',
	severity: 'critical',
	state: 'open',
	observedAt: 1000,
	message: 'm',
	...over,
});
const STATES: Alert['state'][] = ['open', 'escalated', 'acknowledged', 'resolved'];

describe('the list of alerts', () => {
	it('shows an alert once, however often it is told', () => {
		const first = applyAlerts([], [alert('a'), alert('a')]);
		const second = applyAlerts(first.alerts, [alert('a')]);
		expect(first.added).toHaveLength(1);
		expect(second.alerts).toHaveLength(1);
		expect(second.added).toEqual([]);
	});

	it('updates an alert in place when its state changes', () => {
		const { alerts } = applyAlerts([alert('a'), alert('b')], [alert('a', { state: 'acknowledged' })]);
		expect(alerts.map(({ id, state }) => [id, state])).toEqual([
			['b', 'open'],
			['a', 'acknowledged'],
		]);
	});

	it('puts what needs somebody on top, the newest first', () => {
		const { alerts } = applyAlerts(
			[],
			[
				alert('old', { observedAt: 1 }),
				alert('done', { state: 'resolved', observedAt: 9 }),
				alert('new', { observedAt: 5 }),
				alert('taken', { state: 'acknowledged', observedAt: 8 }),
				alert('urgent', { state: 'escalated', observedAt: 2 }),
			],
		);
		expect(alerts.map(({ id }) => id)).toEqual(['new', 'urgent', 'old', 'taken', 'done']);
		expect(alerts.filter(needsAttention)).toHaveLength(3);
	});

	it('never reopens an alert by a message that comes late', () => {
		fc.assert(
			fc.property(fc.array(fc.constantFrom(...STATES)), (states) => {
				let held: readonly Alert[] = [];
				let resolved = false;
				for (const state of states) {
					held = applyAlerts(held, [alert('a', { state })]).alerts;
					resolved ||= state === 'resolved';
					if (resolved) expect(held[0]?.state).toBe('resolved');
				}
				if (states.some((state) => state !== 'open')) expect(held[0]?.state).not.toBe('open');
			}),
		);
	});

	it('stays bounded, letting resolved ones go first', () => {
		const many = Array.from({ length: MOST_ALERTS + 50 }, (_, index) =>
			alert(`r${index}`, { state: 'resolved', observedAt: index }),
		);
		const { alerts } = applyAlerts(many, [alert('open', { observedAt: 0 })]);
		expect(alerts).toHaveLength(MOST_ALERTS);
		expect(alerts[0]?.id).toBe('open');
	});
});
