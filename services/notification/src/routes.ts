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

const MOST_LISTED = 500;

export function notificationRoutes({
	alerts,
	queue,
	outbox,
	tokens,
}: {
	alerts: Alerts;
	queue: SerialQueue;
	outbox: Outbox;
	tokens: Tokens;
}): Router {
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
	const { limit = '100' } = request.query;
	const number = typeof limit === 'string' && /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
	if (number < 1 || number > MOST_LISTED)
		throw invalid([{ path: '/limit', message: `must be a number from 1 to ${MOST_LISTED}` }]);
	return number;
}
