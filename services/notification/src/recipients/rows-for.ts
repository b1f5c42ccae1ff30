/** Who is called about a change of an alert, and why the others are not: pure, from what is known at that moment. */

import type { DeliveryChannel, DeliveryReason } from '@crowdvision/contracts';
import {
	type Alert,
	domainCovers,
	isWithinHours,
	type Preferences,
	type RetainedAccount,
	ROLES,
	type Role,
	SEVERITIES,
	weightIn,
} from '@crowdvision/contracts';
import type { PlannedRow, Reason } from './row.ts';

/** A change of an alert that people may be called about. */
export interface Change {
	alert: Alert;
	/** The name of the person who made it. */
	by?: string;
}

/**
 * What the policy of the building and the life of the alert say at the moment of a change. Whoever evaluates the policy
 * fills it in; nothing of it applies to news of an alert that somebody was called about already.
 */
export interface Circumstances {
	/** Alerts below this are not called now. */
	quietBelow?: Alert['severity'];
	maintenance?: boolean;
	snoozed?: boolean;
	/** The alert whose message covers this one. */
	groupedUnder?: string;
	/** A step of the escalation: only these are called. A role means it or higher. */
	step?: { to: { role: Role } | { accounts: readonly string[] }; channels?: readonly DeliveryChannel[] };
}

/** A person who said how to be called about a domain. */
export interface Candidate {
	accountId: string;
	/** The domain that the preferences are for. */
	domainName: string;
	preferences: Preferences;
	/** Undefined where it is not known: it is a member of nothing. */
	account: RetainedAccount | undefined;
	/** Ids of the devices that take push messages. */
	devices: readonly string[];
}

export interface WebhookCandidate {
	id: string;
	domainName: string;
	severities?: readonly Alert['severity'][];
	kinds?: readonly string[];
}

export interface RowsContext {
	/** The domains that own the alert's building now, or the alert. */
	owners: readonly string[];
	candidates: readonly Candidate[];
	webhooks: readonly WebhookCandidate[];
	circumstances: Circumstances;
	/** Whether an earlier message of this alert to a recipient was sent, or will be. */
	wasCalled: (channel: DeliveryChannel, recipient: string) => boolean;
	/** The zone of the building, and the time in epoch ms. */
	zone: string;
	now: number;
	/** Whether e-mails can be sent at all. */
	mails: boolean;
}

/** Rows of a change, one per channel and recipient; those suppressed say why. */
export function rowsFor(change: Change, context: RowsContext): PlannedRow[] {
	return [
		...mostSpecific(context.candidates).flatMap((candidate) => rowsOfPerson(change, candidate, context)),
		...context.webhooks.flatMap((webhook) => rowsOfWebhook(change, webhook, context)),
	];
}

/** Of several preferences of a person, those for the domain nearest to the alert's. */
function mostSpecific(candidates: readonly Candidate[]): Candidate[] {
	const chosen = new Map<string, Candidate>();
	for (const candidate of candidates) {
		const other = chosen.get(candidate.accountId);
		if (!other || candidate.domainName.length > other.domainName.length) chosen.set(candidate.accountId, candidate);
	}
	return [...chosen.values()];
}

function rowsOfPerson(change: Change, candidate: Candidate, context: RowsContext): PlannedRow[] {
	const { alert, by } = change;
	const { accountId, domainName, preferences, devices } = candidate;
	const stepChannels = context.circumstances.step?.channels;
	return preferences.channels
		.filter((channel) => alert.state !== 'escalated' || !stepChannels || stepChannels.includes(channel))
		.flatMap((channel) => {
			const recipients =
				channel === 'push' && devices.length > 0 ? devices.map((device) => `${accountId}/${device}`) : [accountId];
			return recipients.map((recipient): PlannedRow => {
				const code = reasonNotToCall(change, channel, recipient, candidate, context);
				const reason = code === undefined ? undefined : reasonOf(code, context);
				return {
					...{ alert, channel, recipient, accountId, domainName },
					...(by !== undefined && { by }),
					...(reason ? { status: 'suppressed', reason } : { status: 'pending' }),
				};
			});
		});
}

const reasonOf = (code: DeliveryReason, { circumstances: { groupedUnder } }: RowsContext): Reason =>
	code === 'grouped' && groupedUnder !== undefined ? { code, detail: groupedUnder } : { code };

function reasonNotToCall(
	{ alert }: Change,
	channel: DeliveryChannel,
	recipient: string,
	candidate: Candidate,
	context: RowsContext,
): DeliveryReason | undefined {
	const { account, preferences, devices } = candidate;
	if (!account || weightIn(account.memberships, context.owners) === 0) return 'not_member';
	const isNews = alert.state === 'open' || alert.state === 'escalated';
	if (isNews) {
		const reason = reasonByWill(alert, candidate, context);
		if (reason) return reason;
	} else if (!context.wasCalled(channel, recipient)) return 'not_called_before';
	if (channel === 'mail') {
		if (alert.state === 'acknowledged') return 'mail_stays';
		if (!context.mails) return 'no_mail_server';
		if (account.email === undefined) return 'no_address';
		return account.emailConfirmed ? undefined : 'not_confirmed';
	}
	return preferences.channels.includes('push') && devices.length === 0 ? 'no_device' : undefined;
}

/** Why neither the person nor the building want this call. */
function reasonByWill(
	alert: Alert,
	{ accountId, account, preferences }: Candidate,
	{ circumstances, owners, zone, now }: RowsContext,
): DeliveryReason | undefined {
	const { step } = circumstances;
	if (alert.state === 'escalated' && step) {
		const isMeant =
			'role' in step.to
				? weightIn(account!.memberships, owners) >= ROLES[step.to.role]
				: step.to.accounts.includes(accountId);
		if (!isMeant) return 'not_escalated_to';
	}
	if (preferences.kinds !== 'all' && !preferences.kinds.includes(alert.kind)) return 'kind_off';
	if (isBelow(alert.severity, preferences.lowestSeverity)) return 'below_severity';
	if (circumstances.groupedUnder !== undefined) return 'grouped';
	if (circumstances.snoozed) return 'snoozed';
	if (circumstances.maintenance) return 'maintenance';
	if (circumstances.quietBelow && isBelow(alert.severity, circumstances.quietBelow)) return 'quiet';
	if (preferences.hours && !preferences.hours.some((hours) => isWithinHours(hours, zone, now))) return 'outside_hours';
	return undefined;
}

function rowsOfWebhook(
	{ alert, by }: Change,
	{ id, domainName, severities, kinds }: WebhookCandidate,
	{ owners, circumstances }: RowsContext,
): PlannedRow[] {
	if (!owners.some((owner) => domainCovers(domainName, owner))) return [];
	const code =
		severities && !severities.includes(alert.severity)
			? 'below_severity'
			: kinds && !kinds.includes(alert.kind)
				? 'kind_off'
				: circumstances.groupedUnder !== undefined
					? 'grouped'
					: undefined;
	return [
		{
			...{ alert, channel: 'webhook', recipient: id, domainName },
			...(by !== undefined && { by }),
			...(code
				? { status: 'suppressed', reason: { code, ...(code === 'grouped' && { detail: circumstances.groupedUnder! }) } }
				: { status: 'pending' }),
		},
	];
}

const isBelow = (severity: Alert['severity'], lowest: Alert['severity']) =>
	SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(lowest);
