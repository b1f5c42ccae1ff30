import { CrowdVisionError } from '@crowdvision/contracts';
import type { Explainer, Explanation, Question } from './explain.ts';

const MOST_MESSAGES = 20;

/** What the local door answers: `/why?sensor=…`, `topic=…` or `id=…`. Whoever may open the door may see everything. @throws CrowdVisionError */
export async function answerWhy(explainer: Explainer, path: string, query: URLSearchParams): Promise<Explanation> {
	if (path !== '/why') throw new CrowdVisionError('not_found', `There is nothing at ${path}`);
	const question: Question = {};
	for (const key of ['sensor', 'topic', 'id'] as const) if (query.has(key)) question[key] = query.get(key)!;
	return explainer.explain(question, MOST_MESSAGES, () => true);
}
