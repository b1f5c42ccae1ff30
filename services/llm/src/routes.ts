import { askRequest } from '@crowdvision/contracts';
import {
	type BuildingDirectory,
	callerOf,
	jsonBody,
	type Presence,
	parseBody,
	type Request,
	Router,
	requireAccount,
	type Tokens,
} from '@crowdvision/service-kit';
import { answer, buildingsOf } from './answers/answer.ts';
import { understand } from './answers/question.ts';
import type { Conversations } from './conversations/conversations.ts';
import type { Knowledge } from './knowledge/knowledge.ts';

const MOST_ANOMALIES = 20;

export interface LlmParts {
	tokens: Tokens;
	directory: BuildingDirectory;
	knowledge: Knowledge;
	presence: Presence;
	conversations: Conversations;
}

/** `POST /ask {question}`: an answer over the caller's buildings only. `/conversations`: what the caller asked. */
export function llmRoutes({ tokens, directory, knowledge, presence, conversations }: LlmParts): Router {
	const router = Router();
	const account = requireAccount(tokens);
	const visibleTo = (request: Request) => directory.visibleTo(callerOf(request).memberships);

	router.post('/ask', account, jsonBody(), async (request, response) => {
		const { question, conversationId } = parseBody(askRequest, request.body);
		const { sub } = callerOf(request);
		if (conversationId !== undefined) await conversations.require(sub, conversationId);
		const mine = visibleTo(request);
		const heard = async (buildingId: string) =>
			(await knowledge.latest(buildingId)).map((one) => ({ ...one, ...presence.of(one.sensorId) }));
		const buildings = await Promise.all(mine.map(async (building) => ({ building, latest: await heard(building.id) })));
		const anomalies = await knowledge.anomalies(
			mine.map(({ id }) => id),
			MOST_ANOMALIES,
		);
		const now = Date.now();
		const facts = { buildings, anomalies, now };
		const told = answer(understand(question), question, facts);
		const id = await conversations.add(sub, conversationId, {
			at: now,
			question,
			...told,
			buildings: buildingsOf(told, facts),
		});
		response.json({ ...told, conversationId: id });
	});

	router.get('/conversations', account, async (request, response) => {
		const visible = new Set(visibleTo(request).map(({ id }) => id));
		response.json({ conversations: await conversations.list(callerOf(request).sub, visible) });
	});

	router.delete('/conversations', account, async (request, response) => {
		await conversations.removeAll(callerOf(request).sub);
		response.status(204).end();
	});

	router.delete('/conversations/:id', account, async (request, response) => {
		await conversations.remove(callerOf(request).sub, String(request.params.id));
		response.status(204).end();
	});
	return router;
}
