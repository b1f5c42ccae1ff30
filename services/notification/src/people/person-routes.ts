import { randomBytes } from 'node:crypto';
import { CrowdVisionError, preferences as preferencesBody, subscriptionRequest } from '@crowdvision/contracts';
import type { AccountDirectory } from '@crowdvision/service-kit';
import {
	callerOf,
	jsonBody,
	languageOf,
	parseBody,
	type Request,
	type Router,
	requireAccount,
	requireRole,
	type Site,
	sendPlainPage,
	type Tokens,
} from '@crowdvision/service-kit';
import type { MailChannel } from '../channels/mail/mail-channel.ts';
import type { Unsubscribing } from '../channels/mail/unsubscribing.ts';
import type { PushChannel } from '../channels/push/push-channel.ts';
import { type Subscriptions, subscriptionView } from '../channels/push/subscriptions.ts';
import { testAlert, testOutcome } from '../delivery/test-message.ts';
import type { PreferencesOfPeople } from '../recipients/preferences.ts';

export interface PersonRouteParts {
	preferences: PreferencesOfPeople;
	subscriptions: Subscriptions;
	push: PushChannel;
	mail: MailChannel;
	unsubscribing: Unsubscribing;
	accounts: AccountDirectory;
	publicKey: string;
	tokens: Tokens;
	site: Site;
	/** Epoch ms. */
	now: () => number;
}

/** How long a test of a channel may take, in ms. */
const TEST_MS = 15_000;

const PAGES = {
	en: {
		ask: { title: 'No more e-mails?', text: 'You get e-mails about alerts of {domain}.', button: 'Stop them' },
		done: { title: 'Done', text: 'No more e-mails about alerts of {domain} go to you.' },
	},
	it: {
		ask: { title: 'Basta e-mail?', text: 'Ricevi e-mail sugli allarmi di {domain}.', button: 'Non mandarne più' },
		done: { title: 'Fatto', text: 'Non riceverai più e-mail sugli allarmi di {domain}.' },
	},
} as const;

/** `/public-key`, `/subscriptions`, `/preferences`, `/mail/test` and `/unsubscribe`. */
export function addPersonRoutes(router: Router, parts: PersonRouteParts): void {
	const { preferences, subscriptions, push, mail, accounts, site, now } = parts;
	const signedIn = requireAccount(parts.tokens);
	const domainOf = (request: Request): string => {
		const domain = String(request.params.domain);
		requireRole(callerOf(request), [domain], 'standard_customer', 'such domain');
		return domain;
	};
	const testMessage = () => ({ key: `test-${randomBytes(12).toString('base64url')}`, alert: testAlert('', now()) });

	router.get('/public-key', (_request, response) => {
		response.json({ publicKey: parts.publicKey });
	});

	router.post('/subscriptions', signedIn, jsonBody(), async (request, response) => {
		const wanted = parseBody(subscriptionRequest, request.body);
		const { created, ...view } = await subscriptions.add(callerOf(request).sub, wanted, site.urlOf(request));
		response.status(created ? 201 : 200).json(view);
	});

	router.get('/subscriptions', signedIn, async (request, response) => {
		response.json({ subscriptions: (await subscriptions.of(callerOf(request).sub)).map(subscriptionView) });
	});

	router.delete('/subscriptions/:id', signedIn, async (request, response) => {
		const id = String(request.params.id);
		await subscriptions.require(callerOf(request).sub, id);
		await subscriptions.remove(id);
		response.status(204).end();
	});

	router.post('/subscriptions/:id/test', signedIn, async (request, response) => {
		const id = String(request.params.id);
		const subscription = await subscriptions.require(callerOf(request).sub, id);
		const language = accounts.get(callerOf(request).sub)?.language ?? languageOf(request);
		const message = { ...testMessage(), language, mayAct: false };
		// The topic takes 32 characters at most.
		response.json(testOutcome(await push.push(id, subscription, message, AbortSignal.timeout(TEST_MS))));
	});

	router.get('/preferences/:domain', signedIn, async (request, response) => {
		response.json(await preferences.of(callerOf(request).sub, domainOf(request)));
	});

	router.put('/preferences/:domain', signedIn, jsonBody(), async (request, response) => {
		const domain = domainOf(request);
		const wanted = parseBody(preferencesBody, request.body);
		const { sub } = callerOf(request);
		await preferences.set(sub, domain, wanted, site.urlOf(request));
		response.json(await preferences.of(sub, domain));
	});

	router.post('/preferences/:domain/mail-test', signedIn, async (request, response) => {
		const domainName = domainOf(request);
		const { sub: id } = callerOf(request);
		const account = accounts.get(id);
		const { key, alert } = testMessage();
		const outcome = await mail.send({
			...{ key, alert, domainName, recipient: id },
			...(account && { account: { ...account, id } }),
		});
		response.json(testOutcome(outcome));
	});

	router.get('/unsubscribe/:token', (request, response) => {
		const domain = parts.unsubscribing.domainOf(String(request.params.token));
		if (domain === undefined) throw voidLink();
		const language = languageOf(request);
		const { title, text, button } = PAGES[language].ask;
		sendPlainPage(response, 200, { language, title, text: [text.replace('{domain}', domain)], button });
	});

	// Mail programs post to it by themselves (RFC 8058).
	router.post('/unsubscribe/:token', async (request, response) => {
		const token = String(request.params.token);
		const domain = parts.unsubscribing.domainOf(token);
		if (domain === undefined || !(await parts.unsubscribing.end(token))) throw voidLink();
		const language = languageOf(request);
		const { title, text } = PAGES[language].done;
		sendPlainPage(response, 200, { language, title, text: [text.replace('{domain}', domain)] });
	});
}

const voidLink = () => new CrowdVisionError('not_found', 'This link is incomplete, or not of this installation');
