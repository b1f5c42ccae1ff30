import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import type { Alert } from '@crowdvision/contracts';
import { BuildingDirectory, BusLinks, Counter, isAfter, type Service, type ServiceContext } from '@crowdvision/service-kit';
import type { Sqlite, Stores } from '@crowdvision/store';
import { Alerts } from './alerts.ts';
import { reviewChangedBuildings } from './on-building.ts';
import { followTelemetry } from './on-telemetry.ts';
import { Outbox } from './outbox.ts';
import { notificationRoutes } from './routes.ts';
import { MIGRATIONS } from './schema.ts';
import { Turns } from './turns.ts';
import { Watchman } from './watchman.ts';

export interface NotificationContext extends ServiceContext {
	bus: Bus;
	store: Sqlite;
	stores: Stores;
}

export interface NotificationOptions {
	/** How long a limit must be exceeded before there is an alert. Default 0. */
	dwellMs?: number;
}

/** One process has the database to itself, so one name does: after a restart it takes up first what it held. */
const MEMBER = 'notification-1';

/**
 * Calls people when a limit is crossed: one alert per breach, one end to it.
 *
 *   bus: registry:buildings ─▶ directory ─▶ limits, owners ─┐
 *   bus: telemetry (group notification) ────────────────────┴─▶ watchman ─▶ one transaction
 *                                                  { observed, conditions, alerts, outbox }
 *   POST /alerts/{id}/ack ─▶ alerts, outbox ───────────────────────┐                     │
 *                                                                  └─▶ outbox ─▶ bus: notifications
 */
export async function createNotification(context: NotificationContext, { dwellMs = 0 }: NotificationOptions = {}): Promise<Service> {
	const { bus, store, tokens, metrics, logger, dataDir } = context;
	const database = await store.open(join(dataDir, 'notification.sqlite'), MIGRATIONS);
	const directory = new BuildingDirectory(logger);
	const turns = new Turns();
	const outbox = new Outbox(bus, database, logger);
	const watchman = new Watchman(database, directory, dwellMs, (a, b) => isAfter(bus, a, b));
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
	const reviews = reviewChangedBuildings(directory, { watchman, turns, logger, onAlerts });
	const links = new BusLinks(logger);
	// Limits before readings, or the first readings would be looked at without.
	await links.open(
		() => directory.follow(bus),
		() => followTelemetry({ bus, watchman, turns, member: MEMBER, onAlerts }),
	);
	// What a crash left untold.
	outbox.wake();

	return {
		name: 'notification',
		router: notificationRoutes({ alerts: new Alerts(database, directory), turns, outbox, tokens }),
		trouble: async () => links.trouble() ?? bus.trouble(),
		stop: async () => {
			await links.close();
			await reviews.stop();
			await outbox.stop();
			await database.close();
		},
	};
}
