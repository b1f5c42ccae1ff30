import type { Alert, TestOutcome } from '@crowdvision/contracts';
import type { Outcome } from './channel.ts';

/** An alert that says it is none. */
export const testAlert = (domainName: string, now: number): Alert => ({
	...{ id: 'test', domainNames: [domainName], buildingId: 'test', kind: 'manual', severity: 'info', state: 'open' },
	observedAt: now,
	message: 'This is a test of this channel. Nothing happened.',
});

export function testOutcome(outcome: Outcome): TestOutcome {
	if (outcome.is === 'delivered') return { delivered: true };
	return {
		delivered: false,
		reason: outcome.is === 'later' ? outcome.detail : (outcome.reason.detail ?? outcome.reason.code),
	};
}
