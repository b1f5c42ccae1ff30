import type { Explainer } from '../why/explainer.ts';
import type { Explanation, Question } from '../why/explanation.ts';

const MOST_MESSAGES = 20;

/**
 * What the local door answers at `/why`: `sensor=…`, `topic=…` or `id=…`. Whoever may open the door may see everything.
 */
export async function answerWhy(explainer: Explainer, query: URLSearchParams): Promise<Explanation> {
	const question: Question = {};
	for (const key of ['sensor', 'topic', 'id'] as const) if (query.has(key)) question[key] = query.get(key)!;
	return explainer.explain(question, MOST_MESSAGES, () => true);
}
