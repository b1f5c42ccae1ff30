import { randomBytes } from 'node:crypto';
import { newWebhookRequest } from '@crowdvision/contracts';
import {
	callerOf,
	jsonBody,
	nextCursorOf,
	pageOf,
	parseBody,
	type Request,
	type Router,
	requireAccount,
	requireRole,
	type Site,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Deliveries } from '../../delivery/deliveries.ts';
import { deliveryView } from '../../delivery/delivery-view.ts';
import { testAlert, testOutcome } from '../../delivery/test-message.ts';
import type { WebhookChannel } from './webhook-channel.ts';
import { viewOf, type Webhooks } from './webhooks.ts';

export interface WebhookRouteParts {
	webhooks: Webhooks;
	channel: WebhookChannel;
	deliveries: Deliveries;
	/** Call it after a message became pending again. */
	wake: () => void;
	tokens: Tokens;
	site: Site;
	/** Epoch ms. */
	now: () => number;
}

/** How long a test of a channel may take, in ms. */
const TEST_MS = 15_000;

/** `/domains/{name}/webhooks` and `/domains/{name}/dead-letters`. */
export function addWebhookRoutes(router: Router, parts: WebhookRouteParts): void {
	const { webhooks, channel, deliveries, wake, site, now } = parts;
	router.use('/domains', requireAccount(parts.tokens));
	const domainOf = (request: Request): string => {
		const name = String(request.params.name);
		requireRole(callerOf(request), [name], 'business_admin', 'such domain');
		return name;
	};
	const idOf = (request: Request) => String(request.params.id);

	router.post('/domains/:name/webhooks', jsonBody(), async (request, response) => {
		const name = domainOf(request);
		const created = await webhooks.add(name, parseBody(newWebhookRequest, request.body), site.urlOf(request));
		response.status(201).set('Cache-Control', 'no-store').json(created);
	});

	router.get('/domains/:name/webhooks', async (request, response) => {
		response.json({ webhooks: (await webhooks.of(domainOf(request))).map(viewOf) });
	});

	router.delete('/domains/:name/webhooks/:id', async (request, response) => {
		await webhooks.remove(domainOf(request), idOf(request));
		response.status(204).end();
	});

	router.post('/domains/:name/webhooks/:id/test', async (request, response) => {
		const name = domainOf(request);
		const webhook = await webhooks.require(name, idOf(request));
		const message = { key: `test-${randomBytes(12).toString('base64url')}`, alert: testAlert(name, now()) };
		const outcome = await channel.post(webhook, { ...message, recipient: idOf(request) }, AbortSignal.timeout(TEST_MS));
		response.json(testOutcome(outcome));
	});

	router.get('/domains/:name/dead-letters', async (request, response) => {
		const { documents, next } = await deliveries.deadLetters(
			domainOf(request),
			pageOf(request, ['number', 'number', 'string']),
		);
		response.json({ deadLetters: documents.map((row) => deliveryView(row)), ...nextCursorOf(next) });
	});

	router.post('/domains/:name/dead-letters/:key/send', async (request, response) => {
		const row = await deliveries.sendAgain(domainOf(request), String(request.params.key), now());
		wake();
		response.status(202).json(deliveryView(row));
	});
}
