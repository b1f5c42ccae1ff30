import type { Explainer } from '../why/explainer.ts';
import { type Explanation, ofTenant, type Question } from '../why/explanation.ts';

const MAX_MESSAGES = 20;

/**
 * The control socket's `/why`, with `sensor=…`, `topic=…` or `id=…`, and `domain=…` for that tenant's messages only.
 * Whoever can open the socket may see everything.
 */
export async function controlWhyAnswer(explainer: Explainer, query: URLSearchParams): Promise<Explanation> {
	const question: Question = {};
	for (const key of ['sensor', 'topic', 'id'] as const) if (query.has(key)) question[key] = query.get(key)!;
	return explainer.explain(question, MAX_MESSAGES, ofTenant(query.get('domain') ?? undefined));
}
