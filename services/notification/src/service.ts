import type { Bus } from '@crowdvision/bus';
import type { Alert } from '@crowdvision/contracts';
import {
	BuildingDirectory,
	BusLinks,
	Counter,
	isAfter,
	onLeading,
	Presence,
	SerialQueue,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { electLeader, type Stores } from '@crowdvision/store';
import { AlertBook } from './alerts/alert-repository.ts';
import { Alerts } from './alerts/alerts.ts';
import { Outbox } from './alerts/outbox.ts';
import { Watchman } from './evaluation/rule-evaluator.ts';
import { lead } from './leader.ts';
import { BuildingReviews } from './on-building.ts';
import { notificationRoutes } from './routes.ts';
import { NOTIFICATION_STORE } from './store.ts';

export interface NotificationContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface NotificationOptions {
	/** How long a limit must be exceeded before there is an alert, where the limit says nothing of it. Default 0. */
	dwellMs?: number;
	/** Set where several processes share the store: they elect a leader. Otherwise this process leads from the start. */
	replica?: {
		/** How long a leader that vanished keeps the others waiting, in ms. */
		ttlMs?: number;
	};
}

/** Batches, reviews and acknowledgements that wait for each other. */
const MOST_WAITING = 1000;

/**
 * Calls people when a limit is crossed: one alert per breach, one end to it. Every replica answers requests; one of
 * them, the leader, evaluates the rules.
 *
 *   bus: registry:buildings ─▶ directory ─▶ limits, owners ─┐
 *   bus: telemetry (group notification) ────────────────────┴─▶ watchman ─▶ one commit
 *                                                             { rooms, alerts, outbox }
 *   POST /alerts/{id}/ack ─▶ { alerts, outbox } ──────────────────────┐           │
 *                                                                     └─▶ outbox ─▶ bus: notifications
 */
export async function createNotification(
	context: NotificationContext,
	{ dwellMs = 0, replica }: NotificationOptions = {},
): Promise<Service> {
	const { bus, stores, tokens, metrics, logger } = context;
	const store = await stores.open('notification', NOTIFICATION_STORE);
	const book = new AlertBook(store);
	const directory = new BuildingDirectory(logger);
	const presence = new Presence();
	const queue = new SerialQueue(MOST_WAITING);
	const outbox = new Outbox(bus, store, logger);
	const watchman = new Watchman({ store, book, directory, presence, dwellMs, after: (a, b) => isAfter(bus, a, b) });
	const changes = new Counter({
		name: 'notification_alerts_total',
		help: 'Alerts opened and resolved',
		labelNames: ['kind', 'state'],
		registers: [metrics],
	});
	const onAlerts = (alerts: Alert[]) => {
		for (const { kind, state } of alerts) changes.inc({ kind, state });
		if (alerts.length > 0) outbox.wake();
	};
	const reviews = new BuildingReviews({ directory, watchman, queue, logger, onAlerts });
	const links = new BusLinks(logger);
	// Limits before readings, or the first readings would be looked at without.
	const open = () => lead({ bus, watchman, queue, reviews, outbox, onAlerts });
	const leading = () =>
		onLeading({
			open,
			metrics,
			name: 'notification_on_duty',
			help: '1 in the replica that evaluates the rules and announces alerts',
			logger,
		});
	await links.open(
		() => directory.follow(bus),
		() => presence.follow(bus),
		replica ? async () => electLeader(store, { name: 'duty', logger, ...replica }, leading()) : open,
	);

	return {
		name: 'notification',
		router: notificationRoutes({ alerts: new Alerts({ store, book, directory, presence }), queue, outbox, tokens }),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: async () => {
			await links.close();
			await store.close();
		},
	};
}
