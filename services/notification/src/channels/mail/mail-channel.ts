import { type Alert, CrowdVisionError, type Language, ROLES, weightIn } from '@crowdvision/contracts';
import type { Mailer } from '@crowdvision/service-kit';
import type { Channel, Delivery, Outcome } from '../../delivery/channel.ts';
import type { PreferencesOfPeople } from '../../recipients/preferences.ts';
import type { Messages } from '../../texts/messages.ts';
import type { Unsubscribing } from './unsubscribing.ts';

export interface MailChannelParts {
	/** Undefined without SMTP_URL. */
	mailer: Pick<Mailer, 'send'> | undefined;
	/** Domain of message ids. */
	host: string;
	messages: Messages;
	unsubscribing: Unsubscribing;
	preferences: Pick<PreferencesOfPeople, 'find'>;
}

/** As nodemailer throws it. */
interface SmtpError extends Error {
	responseCode: number;
}

const TEXTS = {
	en: {
		see: 'See it',
		act: 'Take care of it (nobody else is called then)',
		stop: 'To get no more of these e-mails',
	},
	it: {
		see: 'Guardalo',
		act: 'Occupatene tu (nessun altro verrà più chiamato)',
		stop: 'Per non ricevere più queste e-mail',
	},
} as const;

/** Sends alerts to confirmed e-mail addresses. */
export class MailChannel implements Channel {
	readonly name = 'mail';
	readonly #parts: MailChannelParts;

	constructor(parts: MailChannelParts) {
		this.#parts = parts;
	}

	async send({ key, alert, account, domainName, by }: Delivery): Promise<Outcome> {
		if (!account) return { is: 'suppressed', reason: { code: 'not_member' } };
		if (account.email === undefined) return { is: 'suppressed', reason: { code: 'no_address' } };
		if (!account.emailConfirmed) return { is: 'suppressed', reason: { code: 'not_confirmed' } };
		const wanted = await this.#parts.preferences.find(account.id, domainName);
		if (!wanted) return { is: 'suppressed', reason: { code: 'not_opted_in' } };
		const { site, channels } = wanted;
		if (!channels.includes('mail')) return { is: 'suppressed', reason: { code: 'channel_off' } };
		const mayAct = weightIn(account.memberships, alert.domainNames) >= ROLES.business_staff;
		const language = account.language ?? 'en';
		return this.mail(account.email, { key, alert, language, site, accountId: account.id, domainName, mayAct, by });
	}

	/** Sends one e-mail. */
	async mail(
		to: string,
		{
			key,
			alert,
			language,
			site,
			accountId,
			domainName,
			mayAct,
			by,
		}: {
			key: string;
			alert: Alert;
			language: Language;
			site: string;
			accountId: string;
			domainName: string;
			mayAct: boolean;
			by?: string | undefined;
		},
	): Promise<Outcome> {
		const { mailer, host, messages, unsubscribing } = this.#parts;
		if (!mailer) return { is: 'suppressed', reason: { code: 'no_mail_server' } };
		const { text, url, act } = messages.of(alert, { language, by, site, accountId });
		const words = TEXTS[language];
		const stop = unsubscribing.urlFor(accountId, domainName, site);
		const lines = [
			text.body,
			'',
			`${words.see}: ${url}`,
			...(mayAct && act !== undefined ? [`${words.act}: ${act}`] : []),
			'',
			'-- ',
			`${words.stop}: ${stop}`,
		];
		try {
			await mailer.send({
				...{ to, subject: text.title, text: lines.join('\n'), messageId: `<${key}@${host}>` },
				headers: { 'List-Unsubscribe': `<${stop}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
			});
			return { is: 'delivered' };
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) throw error;
			const { message = error.message, responseCode = 0 } = (error.cause ?? {}) as Partial<SmtpError>;
			// The address is refused for good; any other refusal is of the moment, or of the set-up.
			if (responseCode >= 550 && responseCode <= 553)
				return { is: 'failed', reason: { code: 'refused', detail: message } };
			return { is: 'later', detail: message };
		}
	}
}
