import type { Mail } from '@crowdvision/service-kit';

/** The e-mail with the link by which a password is set, in the first language of `accepted` that there is. */
export function recoveryMail(to: string, url: string, accepted: string | undefined): Mail {
	const texts = /^\s*it\b/i.test(accepted ?? '') ? ITALIAN : ENGLISH;
	return { to, subject: texts.subject, text: texts.lines.join('\n').replace('{url}', url) };
}

const ENGLISH = {
	subject: 'CrowdVision: set a new password',
	lines: [
		'Somebody, probably you, asked for a new password for your CrowdVision account.',
		'',
		'To choose it, open this link within an hour. It works once:',
		'{url}',
		'',
		'If you did not ask for it, ignore this e-mail: your password stays as it is.',
	],
};

const ITALIAN = {
	subject: 'CrowdVision: scegli una nuova password',
	lines: [
		'Qualcuno, probabilmente tu, ha chiesto una nuova password per il tuo account CrowdVision.',
		'',
		'Per sceglierla, apri questo link entro un’ora. Funziona una volta sola:',
		'{url}',
		'',
		'Se non l’hai chiesta tu, ignora questa e-mail: la password resta quella di prima.',
	],
};
