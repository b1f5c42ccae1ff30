import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { BuildingDirectory, BusLinks, type Service, type ServiceContext } from '@crowdvision/service-kit';
import type { Sqlite, Stores } from '@crowdvision/store';
import { Knowledge, MIGRATIONS } from './knowledge.ts';
import { followNotifications } from './on-notification.ts';
import { followTelemetry } from './on-telemetry.ts';
import { llmRoutes } from './routes.ts';

export interface LlmContext extends ServiceContext {
	bus: Bus;
	store: Sqlite;
	stores: Stores;
}

/**
 * Questions in plain language, answered from what was measured.
 *
 *   bus: telemetry (group llm) ─▶ latest values ──┐
 *   bus: notifications ─────────▶ anomaly log ────┼─▶ POST /ask: understand ─▶ answer with citations
 *   bus: registry:buildings ────▶ whose rooms ────┘
 */
export async function createLlm({ bus, store, tokens, logger, dataDir }: LlmContext): Promise<Service> {
	const database = await store.open(join(dataDir, 'llm.sqlite'), MIGRATIONS);
	const knowledge = new Knowledge(database);
	const directory = new BuildingDirectory(logger);
	const links = new BusLinks(logger);
	await links.open(
		() => directory.follow(bus),
		() => followNotifications(bus, knowledge, logger),
		() => followTelemetry(bus, hostname(), knowledge),
	);
	return {
		name: 'llm',
		router: llmRoutes({ tokens, directory, knowledge }),
		trouble: async () => links.trouble() ?? bus.trouble(),
		stop: async () => {
			await links.close();
			await database.close();
		},
	};
}
