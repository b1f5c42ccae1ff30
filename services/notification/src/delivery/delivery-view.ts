import type { DeliveryReason, DeliveryView, Language } from '@crowdvision/contracts';
import type { Versioned } from '@crowdvision/store';
import type { DeliveryDocument, Reason } from '../recipients/row.ts';

/** The reasons as sentences. */
const REASONS: Readonly<Record<DeliveryReason, Readonly<Record<Language, string>>>> = {
	not_member: { en: 'is not a member of a domain of this alert', it: 'non è membro di un dominio di questo allarme' },
	not_opted_in: { en: 'has not asked to be called', it: 'non ha chiesto di essere avvisato' },
	channel_off: { en: 'has switched this channel off', it: 'ha disattivato questo canale' },
	kind_off: { en: 'does not want alerts of this kind', it: 'non vuole allarmi di questo tipo' },
	below_severity: { en: 'wants more severe alerts only', it: 'vuole solo allarmi più gravi' },
	outside_hours: { en: 'is not to be called at this hour', it: 'non va avvisato a quest’ora' },
	quiet: { en: 'the building has quiet hours', it: 'l’edificio è nelle ore di silenzio' },
	maintenance: { en: 'the building is under maintenance', it: 'l’edificio è in manutenzione' },
	snoozed: { en: 'the alert is snoozed', it: 'l’allarme è rimandato' },
	grouped: { en: 'another alert says it already', it: 'lo dice già un altro allarme' },
	not_escalated_to: { en: 'is not who this step calls', it: 'non è tra chi viene chiamato in questo passo' },
	no_device: { en: 'has no device that takes push messages', it: 'non ha dispositivi per le notifiche' },
	no_address: { en: 'has no e-mail address', it: 'non ha un indirizzo e-mail' },
	not_confirmed: { en: 'has not confirmed the e-mail address', it: 'non ha confermato l’indirizzo e-mail' },
	no_mail_server: { en: 'no mail server is set (SMTP_URL)', it: 'nessun server di posta (SMTP_URL)' },
	not_called_before: { en: 'was not called when it opened', it: 'non era stato avvisato all’apertura' },
	mail_stays: { en: 'an e-mail stays as it was sent', it: 'un’e-mail resta com’è stata mandata' },
	acknowledged: { en: 'somebody had it already', it: 'se ne stava già occupando qualcuno' },
	resolved: { en: 'it was over already', it: 'era già finito' },
	channel_removed: { en: 'the device or webhook was removed', it: 'il dispositivo o il webhook è stato tolto' },
	refused: { en: 'the provider refused it', it: 'il fornitore l’ha rifiutato' },
	expired: { en: 'the provider did not take it for a day', it: 'il fornitore non l’ha accettato per un giorno' },
};

/** A reason as a sentence without its subject. */
export function reasonText({ code, detail }: Reason, language: Language): string {
	const text = REASONS[code][language];
	return detail === undefined ? text : `${text}: ${detail}`;
}

/** A row as its reader sees it. */
export function deliveryView({ id, value }: Versioned<DeliveryDocument>, language: Language = 'en'): DeliveryView {
	const { alert, alertId, channel, recipient, status, reason, attempts, at, due } = value;
	return {
		...{ key: id, alertId, state: alert.state, channel, recipient, status, attempts, at },
		...(reason && { reason: reason.code, text: reasonText(reason, language) }),
		...(status !== 'pending' && { settledAt: due }),
	};
}
