/** Composes the service notification, which turns readings into alerts. */
import type { Bus, Subscription } from '@crowdvision/bus';
import { type Alert, TABLES } from '@crowdvision/contracts';
import {
	BuildingDirectory,
	BusLinks,
	isAfter,
	Lifecycle,
	MetricDirectory,
	onLeading,
	Presence,
	RetainedTable,
	readSettings,
	SerialQueue,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { electLeader, type Stores } from '@crowdvision/store';
import { AlertRepository } from './alerts/alert-repository.ts';
import { Alerts } from './alerts/alerts.ts';
import { Outbox } from './alerts/outbox.ts';
import { openCalling } from './calling.ts';
import { BuildingReviews } from './evaluation/building-reviews.ts';
import { RuleEvaluator } from './evaluation/rule-evaluator.ts';
import { lead } from './leader.ts';
import { LEADER_GAUGE, notificationMetrics } from './metrics.ts';
import { followBuildings } from './on-building.ts';
import { circumstancesOf } from './policy/circumstances.ts';
import { Policies } from './policy/policies.ts';
import { notificationRoutes } from './routes.ts';
import { NOTIFICATION_SETTINGS, type NotificationSettings } from './settings.ts';
import { NOTIFICATION_STORE } from './store.ts';

export interface NotificationContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface NotificationOptions {
	/** Dwell time of limits that do not set one: how long a breach must last before an alert opens, in ms. Default 0. */
	dwellMs?: number;
	/** Default: as declared. */
	settings?: Partial<NotificationSettings>;
	/** Set where several processes share the store: they elect a leader. Otherwise this process leads from the start. */
	replica?: {
		/** How long a leader that vanished keeps the others waiting, in ms. Default as of `electLeader`. */
		ttlMs?: number;
	};
}

/** Batches, reviews and acknowledgements that wait for each other. */
const MAX_WAITING = 1000;

/**
 * Alerts people when a limit is exceeded: one alert per breach, resolved once. Every replica answers requests; one of
 * them, the leader, evaluates the rules and announces.
 *
 *   bus: registry:buildings ─▶ directory ─▶ limits, owners ─┐
 *   bus: telemetry (group notification) ────────────────────┴─▶ rule evaluator ─▶ one commit
 *                                                             { rooms, alerts, outbox }
 *   PUT /buildings/{id}/policy ─▶ policies ─▶ bus: registry:policies ─▶ every replica
 *   POST /alerts/{id}/ack ─▶ { alerts, outbox } ──────────────────────┐           │
 *                                                                     └─▶ outbox ─▶ bus: notifications
 */
export function createNotification(context: NotificationContext, options: NotificationOptions = {}): Promise<Service> {
	const lifecycle = new Lifecycle(context.logger);
	return lifecycle.stopOnFailure(() => openNotification(context, options, lifecycle));
}

async function openNotification(
	{ bus, stores, tokens, metrics, site, now, logger }: NotificationContext,
	{ dwellMs = 0, replica, settings }: NotificationOptions,
	lifecycle: Lifecycle,
): Promise<Service> {
	const store = lifecycle.own('store', await stores.open('notification', NOTIFICATION_STORE));
	const directory = new BuildingDirectory(logger);
	const metricDirectory = new MetricDirectory(logger);
	const { catalog } = metricDirectory;
	const presence = new Presence(now);
	const policies = new Policies(store, directory, logger);
	const calling = lifecycle.own(
		'channels',
		await openCalling({
			...{ store, bus, directory, catalog, site, tokens, now, logger },
			settings: { ...readSettings(NOTIFICATION_SETTINGS, {}), ...settings },
			circumstancesOf: (alert, at) => circumstancesOf(policies, directory, alert, at),
			onSettled: (channel, status) => measures.settled(channel, status),
		}),
	);
	const { dispatcher } = calling;
	const measures = notificationMetrics(metrics, () => calling.deliveries.imbalance());
	const repository = new AlertRepository(store, calling.planner);
	const queue = new SerialQueue(MAX_WAITING);
	const outbox = new Outbox(bus, store, logger);
	const wake = () => {
		outbox.wake();
		dispatcher.wake();
	};
	const onAlerts = (alerts: Alert[]) => {
		measures.count(alerts);
		if (alerts.length > 0) wake();
	};
	const after = (a: string, b: string) => isAfter(bus, a, b);
	const evaluator = new RuleEvaluator({ store, repository, directory, presence, catalog, dwellMs, after });
	const reviews = new BuildingReviews({ evaluator, queue, logger, now, onAlerts });
	const policyTable = new RetainedTable(bus, TABLES.policies, policies, logger);
	followBuildings(directory, reviews, policies, policyTable, logger);

	const links = lifecycle.own('links to the bus', new BusLinks(logger));
	const open = () => lead({ bus, evaluator, queue, reviews, outbox, dispatcher, now, onAlerts });
	const elect = async (): Promise<Subscription> =>
		electLeader(store, { name: 'duty', logger, ...replica }, onLeading({ open, metrics, ...LEADER_GAUGE, logger }));
	await links.open(
		() => metricDirectory.follow(bus),
		// The limits come first: without them the first readings would be evaluated against no rule.
		() => directory.follow(bus),
		() => presence.follow(bus),
		() => policies.follow(bus),
		() => calling.follow(),
		replica ? elect : open,
	);

	await policyTable.start();
	lifecycle.onStop('table of policies', () => policyTable.stop());

	return {
		name: 'notification',
		router: notificationRoutes({
			alerts: new Alerts({ store, repository, directory, presence, catalog }),
			queue,
			wake,
			addRoutes: calling.addRoutes,
			tokens,
			now,
			policies,
			policyTable,
		}),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: () => lifecycle.stop(),
	};
}
