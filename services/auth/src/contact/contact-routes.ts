import { accountChange, CrowdVisionError } from '@crowdvision/contracts';
import {
	callerOf,
	languageOf,
	type Mailer,
	parseBody,
	type Request,
	type Response,
	type Router,
	type Site,
	sendPlainPage,
	wantsPage,
} from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import { requireSession, type SessionParts } from '../accounts/session-guards.ts';
import type { Throttles } from '../accounts/throttle.ts';
import { authBody } from '../auth-body.ts';
import type { Memberships } from '../domains/memberships.ts';
import { CONTACT_TEXTS, confirmationMail } from './contact-texts.ts';
import type { Contacts } from './contacts.ts';

export interface ContactRouteParts extends SessionParts {
	accounts: Accounts;
	contacts: Contacts;
	memberships: Pick<Memberships, 'of'>;
	/** Undefined without SMTP_URL. */
	mailer: Pick<Mailer, 'send'> | undefined;
	site: Site;
	throttles: Pick<Throttles, 'confirmation'>;
}

/** `PATCH /me`, `/me/contact/confirmation` and `/confirm/{token}`. */
export function addContactRoutes(router: Router, parts: ContactRouteParts): void {
	const { accounts, contacts, mailer, memberships, site, throttles } = parts;
	const signedIn = requireSession(parts);

	router.patch('/me', signedIn, authBody, async (request, response) => {
		const { language } = parseBody(accountChange, request.body);
		const { sub } = callerOf(request);
		await accounts.setLanguage(sub, language);
		response.json({ ...(await accounts.me(sub)), memberships: await memberships.of(sub) });
	});

	router.post('/me/contact/confirmation', signedIn, async (request, response) => {
		const { sub } = callerOf(request);
		if (!mailer) throw new CrowdVisionError('unavailable', 'This installation sends no e-mails (SMTP_URL)');
		const { token, address } = await contacts.linkFor(sub);
		throttles.confirmation.begin(sub, Date.now());
		const { language = languageOf(request) } = await accounts.me(sub);
		await mailer.send(confirmationMail(address, `${site.certainUrlOf(request)}/auth/confirm/${token}`, language));
		response.status(202).end();
	});

	router.get('/confirm/:token', async (request, response) => {
		const address = await orVoid(request, response, () => contacts.addressOf(String(request.params.token)));
		if (address === undefined) return;
		const language = languageOf(request);
		const { title, text, button } = CONTACT_TEXTS[language].ask;
		sendPlainPage(response, 200, { language, title, text: [text.replace('{address}', address)], button });
	});

	router.post('/confirm/:token', async (request, response) => {
		const address = await orVoid(request, response, () => contacts.confirm(String(request.params.token)));
		if (address === undefined) return;
		const language = languageOf(request);
		const { title, text } = CONTACT_TEXTS[language].done;
		sendPlainPage(response, 200, { language, title, text: [text.replace('{address}', address)] });
	});
}

/** Resolves with undefined where the link is void and a page has said so. @throws CrowdVisionError to a program */
async function orVoid(request: Request, response: Response, task: () => Promise<string>): Promise<string | undefined> {
	try {
		return await task();
	} catch (error) {
		if (!(error instanceof CrowdVisionError && error.code === 'not_found') || !wantsPage(request)) throw error;
		const language = languageOf(request);
		const { title, text } = CONTACT_TEXTS[language].void;
		sendPlainPage(response, error.status, { language, title, text: [text] });
		return undefined;
	}
}
