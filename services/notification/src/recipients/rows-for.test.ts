import type { Alert, DeliveryReason, Preferences, RetainedAccount } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { type Candidate, type RowsContext, rowsFor } from './rows-for.ts';

const ALERT: Alert = {
	...{ id: 'a1', domainNames: ['museum'], buildingId: 'museum-1', roomId: 'hall', kind: 'occupancy' },
	...{ severity: 'warning', state: 'open', value: 120, limit: 100, observedAt: 0, message: 'Hall: too many people' },
};
const ACCOUNT: RetainedAccount = {
	...{ name: 'Ada', email: 'ada@example.org', emailConfirmed: true, generation: 0 },
	memberships: [{ domainName: 'museum', role: 'business_staff' }],
};
const PREFERENCES: Preferences = { kinds: 'all', lowestSeverity: 'info', channels: ['push', 'mail'] };
const ADA: Candidate = {
	...{
		accountId: 'ada',
		domainName: 'museum',
		preferences: PREFERENCES,
		account: ACCOUNT,
		devices: ['phone', 'laptop'],
	},
};
const CONTEXT: RowsContext = {
	...{ owners: ['museum'], candidates: [ADA], webhooks: [], circumstances: {}, mails: true },
	wasCalled: () => false,
	// A Monday at noon.
	...{ zone: 'UTC', now: Date.parse('2026-11-30T12:00:00Z') },
};
const shown = (alert: Partial<Alert> = {}, context: Partial<RowsContext> = {}, by?: string) =>
	rowsFor({ alert: { ...ALERT, ...alert }, ...(by && { by }) }, { ...CONTEXT, ...context }).map(
		({ channel, recipient, status, reason }) => `${channel} ${recipient} ${status}${reason ? ` ${reason.code}` : ''}`,
	);
const who = (change: Partial<Candidate>): Partial<RowsContext> => ({ candidates: [{ ...ADA, ...change }] });
const wants = (change: Partial<Preferences>) => who({ preferences: { ...PREFERENCES, ...change } });
const account = (change: Partial<RetainedAccount>) => who({ account: { ...ACCOUNT, ...change } });

describe('A6 rows of a change', () => {
	it('are one for each device, and one for the e-mail address', () => {
		expect(shown()).toEqual(['push ada/phone pending', 'push ada/laptop pending', 'mail ada pending']);
	});

	const noPhone = { devices: ['phone'] };
	it.each<[DeliveryReason, Partial<RowsContext>, Partial<Alert>?]>([
		['not_member', account({ memberships: [] })],
		['not_member', account({ memberships: [{ domainName: 'zoo', role: 'business_admin' }] })],
		['not_member', who({ account: undefined })],
		['kind_off', wants({ kinds: ['co2'] })],
		['below_severity', wants({ lowestSeverity: 'critical' })],
		['outside_hours', wants({ hours: [{ days: ['mon'], from: '18:00', to: '23:00' }] })],
		['quiet', { circumstances: { quietBelow: 'critical' } }],
		['maintenance', { circumstances: { maintenance: true } }],
		['snoozed', { circumstances: { snoozed: true } }],
		['grouped', { circumstances: { groupedUnder: 'cause' } }],
		['not_called_before', {}, { state: 'resolved' }],
		['not_escalated_to', { circumstances: { step: { to: { role: 'business_admin' } } } }, { state: 'escalated' }],
		['not_escalated_to', { circumstances: { step: { to: { accounts: ['bob'] } } } }, { state: 'escalated' }],
	])('call nobody, and say %s', (code, context, alert) => {
		const candidates = (context.candidates ?? [ADA]).map((one) => ({ ...one, ...noPhone }));
		expect(shown(alert, { ...context, candidates })).toEqual([
			`push ada/phone suppressed ${code}`,
			`mail ada suppressed ${code}`,
		]);
	});

	it('say of a channel why it cannot be used', () => {
		expect(shown({}, who({ devices: [] }))).toContain('push ada suppressed no_device');
		expect(shown({}, account({ emailConfirmed: false }))).toContain('mail ada suppressed not_confirmed');
		const { email: _email, ...without } = ACCOUNT;
		expect(shown({}, who({ account: without }))).toContain('mail ada suppressed no_address');
		expect(shown({}, { mails: false })).toContain('mail ada suppressed no_mail_server');
		expect(shown({}, wants({ channels: ['mail'] }))).toEqual(['mail ada pending']);
		expect(shown({}, wants({ channels: [] }))).toEqual([]);
	});

	it('tell those who were called that somebody has it, and when it is over, at any hour; an e-mail stays', () => {
		const called = { wasCalled: () => true, circumstances: { quietBelow: 'critical' as const } };
		expect(shown({ state: 'acknowledged' }, called, 'Anna')).toEqual([
			'push ada/phone pending',
			'push ada/laptop pending',
			'mail ada suppressed mail_stays',
		]);
		expect(shown({ state: 'resolved' }, called)).toContain('mail ada pending');
	});

	it('follow the preferences for the nearest domain, once per person', () => {
		const nearer = { ...ADA, domainName: 'museum/north', preferences: { ...PREFERENCES, channels: [] } };
		expect(shown({}, { owners: ['museum/north'], candidates: [ADA, nearer] })).toEqual([]);
		expect(shown({}, { owners: ['museum/north'], candidates: [nearer, ADA] })).toEqual([]);
	});

	it('call by an escalation those of the role or a higher one, on its channels only', () => {
		const step = { to: { role: 'standard_customer' as const }, channels: ['mail' as const] };
		expect(shown({ state: 'escalated' }, { circumstances: { step } })).toEqual(['mail ada pending']);
	});

	it('go to the webhooks of the domain and of those above it', () => {
		const webhooks = [
			{ id: 'all', domainName: 'museum' },
			{ id: 'foreign', domainName: 'zoo' },
			{ id: 'critical', domainName: 'museum', severities: ['critical' as const] },
			{ id: 'air', domainName: 'museum', kinds: ['co2'] },
			{ id: 'below', domainName: 'museum/north/attic' },
		];
		expect(shown({}, { owners: ['museum/north'], candidates: [], webhooks })).toEqual([
			'webhook all pending',
			'webhook critical suppressed below_severity',
			'webhook air suppressed kind_off',
		]);
	});
});
