import type { Alert } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_ALERTS, mergeAlerts, needsAttention } from './alert-list.ts';

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
	it('shows an alert once, however often it arrives', () => {
		const first = mergeAlerts([], [alert('a'), alert('a')]);
		const second = mergeAlerts(first.alerts, [alert('a')]);
		expect(first.added).toHaveLength(1);
		expect(second.alerts).toHaveLength(1);
		expect(second.added).toEqual([]);
	});

	it('updates an alert in place when its state changes', () => {
		const { alerts } = mergeAlerts([alert('a'), alert('b')], [alert('a', { state: 'acknowledged' })]);
		expect(alerts.map(({ id, state }) => [id, state])).toEqual([
			['b', 'open'],
			['a', 'acknowledged'],
		]);
	});

	it('begins with the alerts nobody has acknowledged, the newest first', () => {
		const { alerts } = mergeAlerts(
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

	it('never reopens an alert when a message arrives late', () => {
		fc.assert(
			fc.property(fc.array(fc.constantFrom(...STATES)), (states) => {
				let list: readonly Alert[] = [];
				let resolved = false;
				for (const state of states) {
					list = mergeAlerts(list, [alert('a', { state })]).alerts;
					resolved ||= state === 'resolved';
					if (resolved) expect(list[0]?.state).toBe('resolved');
				}
				if (states.some((state) => state !== 'open')) expect(list[0]?.state).not.toBe('open');
			}),
		);
	});

	it('stays bounded by dropping resolved alerts first', () => {
		const many = Array.from({ length: MAX_ALERTS + 50 }, (_, index) =>
			alert(`r${index}`, { state: 'resolved', observedAt: index }),
		);
		const { alerts } = mergeAlerts(many, [alert('open', { observedAt: 0 })]);
		expect(alerts).toHaveLength(MAX_ALERTS);
		expect(alerts[0]?.id).toBe('open');
	});

	it('never drops an unresolved alert, however many there are', () => {
		const many = Array.from({ length: MAX_ALERTS + 50 }, (_, index) => alert(`o${index}`, { observedAt: index }));
		expect(mergeAlerts([], many).alerts).toHaveLength(MAX_ALERTS + 50);
	});
});
