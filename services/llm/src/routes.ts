import { Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import { type AskRouteParts, addAskRoutes } from './answers/ask-routes.ts';
import { addConversationRoutes, type ConversationRouteParts } from './conversations/conversation-routes.ts';

export interface LlmParts extends AskRouteParts, ConversationRouteParts {
	conversations: AskRouteParts['conversations'];
	tokens: Tokens;
}

/** Llm's paths, without the prefix `/llm`. */
export function llmRoutes(parts: LlmParts): Router {
	const router = Router();
	router.use(['/ask', '/conversations'], requireAccount(parts.tokens));
	addAskRoutes(router, parts);
	addConversationRoutes(router, parts);
	return router;
}
