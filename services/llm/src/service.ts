/** Composes the service llm, which answers questions from measurements. */
import type { Bus } from '@crowdvision/bus';
import {
	BuildingDirectory,
	BusLinks,
	Lifecycle,
	MetricDirectory,
	Presence,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import type { Stores } from '@crowdvision/store';
import { Conversations } from './conversations/conversations.ts';
import { Knowledge } from './knowledge/knowledge.ts';
import { followAccounts } from './on-account.ts';
import { followBuildings } from './on-building.ts';
import { followNotifications } from './on-notification.ts';
import { followTelemetry } from './on-telemetry.ts';
import { llmRoutes } from './routes.ts';
import { LLM_STORE } from './store.ts';

export interface LlmContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

/**
 * Answers questions in plain language from measurements.
 *
 *   bus: telemetry (group llm) ─▶ latest values ────┐
 *   bus: devices ───────────────▶ presence ─────────┤
 *   bus: notifications ─────────▶ log of alerts ────┼─▶ POST /ask: understand ─▶ answer, citations ─▶ conversations
 *   bus: registry:buildings ────▶ rooms and owners ─┘
 *   bus: registry:removed-accounts ─▶ their conversations are deleted
 */
export function createLlm(context: LlmContext): Promise<Service> {
	const lifecycle = new Lifecycle(context.logger);
	return lifecycle.stopOnFailure(() => openLlm(context, lifecycle));
}

async function openLlm({ bus, stores, tokens, now, logger }: LlmContext, lifecycle: Lifecycle): Promise<Service> {
	const store = lifecycle.own('store', await stores.open('llm', LLM_STORE));
	const directory = new BuildingDirectory(logger);
	const knowledge = new Knowledge(store, directory);
	const conversations = new Conversations(store);
	followBuildings(directory, knowledge, logger);
	const metrics = new MetricDirectory(logger);
	const presence = new Presence(now);
	const links = lifecycle.own('links to the bus', new BusLinks(logger));
	await links.open(
		() => directory.follow(bus),
		() => metrics.follow(bus),
		() => presence.follow(bus),
		() => followAccounts({ bus, conversations, logger }),
		() => followNotifications({ bus, knowledge, logger }),
		() => followTelemetry({ bus, knowledge }),
	);
	return {
		name: 'llm',
		router: llmRoutes({ tokens, directory, knowledge, presence, conversations, catalog: metrics.catalog, now }),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: () => lifecycle.stop(),
	};
}
