/** Why somebody was, or was not, called about an alert: pure. */
import {
	type DeliveryReason,
	type Language,
	type RetainedAccount,
	type WhyAnswer,
	weightIn,
} from '@crowdvision/contracts';
import type { Versioned } from '@crowdvision/store';
import { deliveryView, reasonText } from '../delivery/delivery-view.ts';
import type { PreferencesDocument } from '../recipients/recipient-documents.ts';
import type { DeliveryDocument } from '../recipients/row.ts';

export interface WhyFacts {
	alertId: string;
	accountId: string;
	/** The domains that own the alert now. */
	owners: readonly string[];
	/** Undefined for one that is not known, or not a member. */
	account: RetainedAccount | undefined;
	/** What it has set for these domains and those above them. */
	preferences: readonly PreferencesDocument[];
	/** All rows of the alert that are for this account. */
	rows: readonly Versioned<DeliveryDocument>[];
}

const WORDS = {
	en: { called: 'was called', waiting: 'a message is waiting to be sent' },
	it: { called: 'è stato avvisato', waiting: 'un messaggio aspetta di essere mandato' },
} as const;

/** The answer of `GET /alerts/{id}/why`. */
export function whyOf(
	{ alertId, accountId, owners, account, preferences, rows }: WhyFacts,
	language: Language,
): WhyAnswer {
	const answer = { alertId, accountId, deliveries: rows.map((row) => deliveryView(row, language)) };
	const words = WORDS[language];
	const delivered = rows.find(({ value }) => value.status === 'delivered');
	if (delivered) return { ...answer, called: true, text: words.called };
	// Rows of the news say more than those of what came after it.
	const news = rows.find(({ value }) => value.reason && value.reason.code !== 'not_called_before');
	if (news) {
		const text = reasonText(news.value.reason!, language);
		const waits = news.value.status === 'pending' ? `${words.waiting}; ` : '';
		return { ...answer, called: false, reason: news.value.reason!.code, text: `${waits}${text}` };
	}
	if (rows.some(({ value }) => value.status === 'pending')) return { ...answer, called: false, text: words.waiting };
	const reason = reasonWithoutRows(owners, account, preferences);
	return { ...answer, called: false, reason, text: reasonText({ code: reason }, language) };
}

function reasonWithoutRows(
	owners: readonly string[],
	account: RetainedAccount | undefined,
	preferences: readonly PreferencesDocument[],
): DeliveryReason {
	if (!account || weightIn(account.memberships, owners) === 0) return 'not_member';
	return preferences.some(({ channels }) => channels.length > 0) || preferences.length === 0
		? 'not_opted_in'
		: 'channel_off';
}
