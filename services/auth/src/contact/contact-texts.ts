import type { Language } from '@crowdvision/contracts';
import type { Mail } from '@crowdvision/service-kit';

/** What is said about the confirmation of an address. */
export const CONTACT_TEXTS: Readonly<
	Record<
		Language,
		{
			subject: string;
			mail: readonly string[];
			ask: { title: string; text: string; button: string };
			done: { title: string; text: string };
			void: { title: string; text: string };
		}
	>
> = {
	en: {
		subject: 'CrowdVision: confirm your address',
		mail: [
			'Somebody, probably you, wants CrowdVision to send messages about alerts to this address.',
			'',
			'To confirm it, open this link within a week, and press the button:',
			'{url}',
			'',
			'If it was not you, ignore this e-mail: nothing will be sent to you.',
		],
		ask: { title: 'Confirm your address', text: 'Messages about alerts will go to {address}.', button: 'Confirm' },
		done: { title: 'Your address is confirmed', text: 'Messages about alerts can now go to {address}.' },
		void: { title: 'This link does not work', text: 'It is too old, or incomplete. Ask for another one.' },
	},
	it: {
		subject: 'CrowdVision: conferma il tuo indirizzo',
		mail: [
			'Qualcuno, probabilmente tu, vuole che CrowdVision mandi a questo indirizzo i messaggi sugli allarmi.',
			'',
			'Per confermarlo, apri questo link entro una settimana e premi il pulsante:',
			'{url}',
			'',
			'Se non sei stato tu, ignora questa e-mail: non riceverai nulla.',
		],
		ask: {
			title: 'Conferma il tuo indirizzo',
			text: 'I messaggi sugli allarmi arriveranno a {address}.',
			button: 'Conferma',
		},
		done: {
			title: 'Il tuo indirizzo è confermato',
			text: 'Ora i messaggi sugli allarmi possono arrivare a {address}.',
		},
		void: { title: 'Questo link non funziona', text: 'È troppo vecchio o incompleto. Chiedine un altro.' },
	},
};

export function confirmationMail(to: string, url: string, language: Language): Mail {
	const { subject, mail } = CONTACT_TEXTS[language];
	return { to, subject, text: mail.join('\n').replace('{url}', url) };
}
