import { validator } from '@crowdvision/contracts';
import { type BuildingDirectory, callerOf, jsonBody, parseBody, Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import Type from 'typebox';
import { answer } from './answer.ts';
import type { Knowledge } from './knowledge.ts';
import { understand } from './question.ts';

const askRequest = validator(Type.Object({ question: Type.String({ minLength: 1, maxLength: 2000, pattern: '\\S' }) }));
const MOST_ANOMALIES = 20;

/** `POST /ask {question}`: an answer over the caller's buildings only. */
export function llmRoutes({ tokens, directory, knowledge }: { tokens: Tokens; directory: BuildingDirectory; knowledge: Knowledge }): Router {
	const router = Router();
	router.post('/ask', requireAccount(tokens), jsonBody(), async (request, response) => {
		const { question } = parseBody(askRequest, request.body);
		const mine = directory.visibleTo(callerOf(request).memberships);
		const buildings = await Promise.all(mine.map(async (building) => ({ building, latest: await knowledge.latest(building.id) })));
		const anomalies = await knowledge.anomalies(
			mine.map(({ id }) => id),
			MOST_ANOMALIES,
		);
		response.json(answer(understand(question), question, { buildings, anomalies, now: Date.now() }));
	});
	return router;
}
