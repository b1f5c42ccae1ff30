/** All HTTP routes of notification. */
import { ALERT_LIST_LIMIT } from '@crowdvision/contracts';
import {
	callerOf,
	nextCursorOf,
	pageOf,
	Router,
	requireAccount,
	type SerialQueue,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Alerts } from './alerts/alerts.ts';
import { addPolicyRoutes, type PolicyRouteParts } from './policy/policy-routes.ts';

export interface NotificationParts extends PolicyRouteParts {
	alerts: Alerts;
	/** Runs acknowledgements in turn with evaluations. */
	queue: SerialQueue;
	/** Call it after a change of an alert was stored. */
	wake: () => void;
	addRoutes: (router: Router, acknowledge: Alerts['acknowledgeFirst']) => void;
	tokens: Tokens;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
}

/** Notification's paths, without the prefix `/notification`. */
export function notificationRoutes({
	alerts,
	queue,
	wake,
	addRoutes,
	tokens,
	now,
	...policy
}: NotificationParts): Router {
	const router = Router();
	router.use(['/alerts', '/buildings'], requireAccount(tokens));
	addPolicyRoutes(router, policy);

	router.get('/alerts', async (request, response) => {
		const page = pageOf(request, ['number', 'number', 'string'], ALERT_LIST_LIMIT);
		const { alerts: found, next } = await alerts.list(callerOf(request).memberships, page, now());
		response.json({ alerts: found, ...nextCursorOf(next) });
	});

	router.post('/alerts/:id/ack', async (request, response) => {
		const alert = await queue.run(() => alerts.acknowledge(String(request.params.id), callerOf(request)));
		wake();
		response.json(alert);
	});
	addRoutes(router, async (id, by) => {
		const alert = await queue.run(() => alerts.acknowledgeFirst(id, by));
		wake();
		return alert;
	});
	return router;
}
