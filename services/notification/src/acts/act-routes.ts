import { type Alert, CrowdVisionError, type Language } from '@crowdvision/contracts';
import {
	type AccountDirectory,
	languageOf,
	type Request,
	type Response,
	type Router,
	sendPlainPage,
	wantsPage,
} from '@crowdvision/service-kit';
import type { Acknowledger } from '../alerts/alerts.ts';
import type { Webhooks } from '../channels/webhook/webhooks.ts';
import type { Act, ActLinks } from './act-links.ts';

export interface ActRouteParts {
	links: ActLinks;
	accounts: AccountDirectory;
	webhooks: Webhooks;
	/** The present alert of an id. */
	find: (alertId: string) => Promise<Alert | undefined>;
	/** Acknowledges an alert that nobody has yet; resolves with undefined where somebody has it, or it is over. */
	acknowledge: (alertId: string, by: Acknowledger) => Promise<Alert | undefined>;
}

const TEXTS = {
	en: {
		ask: { title: 'Take care of it?', button: 'I have it' },
		done: { title: 'You have it', text: 'Nobody else is called about it.' },
		taken: { title: 'No longer needed', text: 'Somebody has it already, or it is over.' },
		void: { title: 'This link does not work', text: 'It is too old, or not for you any more.' },
	},
	it: {
		ask: { title: 'Te ne occupi tu?', button: 'Me ne occupo io' },
		done: { title: 'Te ne occupi tu', text: 'Nessun altro verrà avvisato.' },
		taken: { title: 'Non serve più', text: 'Se ne sta già occupando qualcuno, oppure è finito.' },
		void: { title: 'Questo link non funziona', text: 'È troppo vecchio, o non è più per te.' },
	},
} as const satisfies Record<Language, unknown>;

/** `/act/{token}`: what a link in a message leads to. Opening it changes nothing, as programs open links too. */
export function addActRoutes(router: Router, parts: ActRouteParts): void {
	const { links, find, acknowledge } = parts;
	const actOf = (request: Request): { act: Act; by: Promise<Acknowledger> } => {
		const act = links.read(String(request.params.token));
		if (!act) throw voidLink();
		return { act, by: actorOf(act, parts) };
	};

	router.get('/act/:token', async (request, response) => {
		await orPage(request, response, async (language) => {
			const { act, by } = actOf(request);
			await by;
			const alert = await find(act.alertId);
			if (!alert) throw voidLink();
			if (alert.state !== 'open' && alert.state !== 'escalated') throw taken();
			const { title, button } = TEXTS[language].ask;
			sendPlainPage(response, 200, { language, title, text: [alert.message], button });
		});
	});

	router.post('/act/:token', async (request, response) => {
		await orPage(request, response, async (language) => {
			const { act, by } = actOf(request);
			const alert = await acknowledge(act.alertId, await by);
			if (!alert) throw taken();
			const { title, text } = TEXTS[language].done;
			sendPlainPage(response, 200, { language, title, text: [alert.message, text] });
		});
	});
}

/**
 * Whoever acts by a link, with the rights of now. @throws CrowdVisionError `not_found` where they have none any more
 */
async function actorOf({ accountId, webhook }: Act, { accounts, webhooks }: ActRouteParts): Promise<Acknowledger> {
	if (accountId !== undefined) {
		const account = accounts.get(accountId);
		if (!account) throw voidLink();
		return { sub: accountId, memberships: account.memberships };
	}
	const found = webhook === undefined ? undefined : await webhooks.find(webhook);
	if (!found) throw voidLink();
	// An administrator of the domain gave the link to whoever reads there.
	return { sub: `webhook:${webhook}`, memberships: [{ domainName: found.domainName, role: 'business_staff' }] };
}

const voidLink = () => new CrowdVisionError('not_found', 'This link is too old, or not for you any more');
const taken = () => new CrowdVisionError('conflict', 'Somebody has this alert already, or it is over');

/** Runs a task; a browser gets a refusal as a page, a program as an error. */
async function orPage(
	request: Request,
	response: Response,
	task: (language: Language) => Promise<void>,
): Promise<void> {
	const language = languageOf(request);
	try {
		await task(language);
	} catch (error) {
		if (!(error instanceof CrowdVisionError) || !wantsPage(request)) throw error;
		if (error.code !== 'not_found' && error.code !== 'conflict' && error.code !== 'forbidden') throw error;
		const { title, text } = TEXTS[language][error.code === 'conflict' ? 'taken' : 'void'];
		sendPlainPage(response, error.status, { language, title, text: [text] });
	}
}
