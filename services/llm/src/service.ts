import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Bus } from '@crowdvision/bus';
import { BuildingDirectory, BusLinks, Presence, type Service, type ServiceContext } from '@crowdvision/service-kit';
import type { Stores } from '@crowdvision/store';
import { Conversations } from './conversations/conversations.ts';
import { Knowledge } from './knowledge/knowledge.ts';
import { followNotifications } from './on-notification.ts';
import { followTelemetry } from './on-telemetry.ts';
import { llmRoutes } from './routes.ts';
import { LLM_STORE } from './store.ts';

export interface LlmContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

/**
 * Questions in plain language, answered from what was measured.
 *
 *   bus: telemetry (group llm) ─▶ latest values ──┐
 *   bus: devices ───────────────▶ presence ───────┤
 *   bus: notifications ─────────▶ anomaly log ────┼─▶ POST /ask: understand ─▶ answer with citations ─▶ conversations
 *   bus: registry:buildings ────▶ whose rooms ────┘
 */
export async function createLlm({ bus, stores, tokens, logger }: LlmContext): Promise<Service> {
	const store = await stores.open('llm', LLM_STORE);
	const knowledge = new Knowledge(store);
	const directory = new BuildingDirectory(logger);
	const presence = new Presence();
	const member = `${hostname()}-${randomBytes(4).toString('hex')}`;
	const links = new BusLinks(logger);
	await links.open(
		() => directory.follow(bus),
		() => presence.follow(bus),
		() => followNotifications(bus, knowledge, logger),
		() => followTelemetry({ bus, member, knowledge }),
	);
	return {
		name: 'llm',
		router: llmRoutes({ tokens, directory, knowledge, presence, conversations: new Conversations(store) }),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: async () => {
			await links.close();
			await store.close();
		},
	};
}
