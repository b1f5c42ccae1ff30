/** The HTTP route that answers questions. */
import { askRequest, type MetricLookup, type RetainedBuilding } from '@crowdvision/contracts';
import {
	type BuildingDirectory,
	callerOf,
	jsonBody,
	type Presence,
	parseBody,
	type Router,
} from '@crowdvision/service-kit';
import type { Conversations } from '../conversations/conversations.ts';
import type { Knowledge } from '../knowledge/knowledge.ts';
import { answer, buildingsOf, type Facts } from './answer.ts';
import { understand } from './question.ts';

const MAX_ANOMALIES = 20;

export interface AskRouteParts {
	directory: BuildingDirectory;
	knowledge: Knowledge;
	presence: Presence;
	catalog: MetricLookup;
	conversations: Conversations;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
}

/** `/ask`: answers from data of the buildings that the caller may see. */
export function addAskRoutes(router: Router, parts: AskRouteParts): void {
	const { directory, conversations, catalog } = parts;

	router.post('/ask', jsonBody(), async (request, response) => {
		const { question, conversationId } = parseBody(askRequest, request.body);
		const { sub, memberships } = callerOf(request);
		if (conversationId !== undefined) await conversations.require(sub, conversationId);
		const facts = await factsOf(directory.visibleTo(memberships), parts);
		const answered = answer(understand(question, catalog), question, facts);
		const id = await conversations.add(sub, conversationId, {
			at: facts.now,
			question,
			...answered,
			buildings: buildingsOf(answered, facts),
		});
		response.json({ ...answered, conversationId: id });
	});
}

/** Reads what is known of these buildings. */
async function factsOf(
	buildings: readonly RetainedBuilding[],
	{ knowledge, presence, catalog, now }: Pick<AskRouteParts, 'knowledge' | 'presence' | 'catalog' | 'now'>,
): Promise<Facts> {
	const withLatest = async (building: RetainedBuilding) => {
		const latest = await knowledge.latest(building);
		return { building, latest: latest.map((sensor) => ({ ...sensor, ...presence.of(sensor.sensorId, building.id) })) };
	};
	const ids = buildings.map(({ id }) => id);
	return {
		buildings: await Promise.all(buildings.map(withLatest)),
		anomalies: await knowledge.anomalies(ids, MAX_ANOMALIES),
		catalog,
		now: now(),
	};
}
