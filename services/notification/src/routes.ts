/** All HTTP routes of notification. */
import { ALERT_LIST_LIMIT } from '@crowdvision/contracts';
import {
	callerOf,
	invalid,
	type Request,
	Router,
	requireAccount,
	type SerialQueue,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Alerts } from './alerts/alerts.ts';
import type { Outbox } from './alerts/outbox.ts';

export interface NotificationParts {
	alerts: Alerts;
	/** Runs acknowledgements in turn with evaluations. */
	queue: SerialQueue;
	outbox: Outbox;
	tokens: Tokens;
}

/** Notification's paths, without the prefix `/notification`. */
export function notificationRoutes({ alerts, queue, outbox, tokens }: NotificationParts): Router {
	const router = Router();
	router.use('/alerts', requireAccount(tokens));

	router.get('/alerts', async (request, response) => {
		response.json({ alerts: await alerts.list(callerOf(request).memberships, limitOf(request), Date.now()) });
	});

	router.post('/alerts/:id/ack', async (request, response) => {
		const alert = await queue.run(() => alerts.acknowledge(String(request.params.id), callerOf(request)));
		outbox.wake();
		response.json(alert);
	});
	return router;
}

function limitOf(request: Request): number {
	const { minimum, maximum } = ALERT_LIST_LIMIT;
	const { limit = String(ALERT_LIST_LIMIT.default) } = request.query;
	const number = typeof limit === 'string' && /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
	if (number < minimum || number > maximum)
		throw invalid([{ path: '/limit', message: `must be a number from ${minimum} to ${maximum}` }]);
	return number;
}
