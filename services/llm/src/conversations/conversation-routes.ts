import { generationKey } from '@crowdvision/contracts';
import { type BuildingDirectory, callerOf, nextCursorOf, pageOf, type Router } from '@crowdvision/service-kit';
import type { Conversations } from './conversations.ts';

export interface ConversationRouteParts {
	directory: BuildingDirectory;
	conversations: Conversations;
}

/** `/conversations`: the caller's own. */
export function addConversationRoutes(router: Router, { directory, conversations }: ConversationRouteParts): void {
	router.get('/conversations', async (request, response) => {
		const { sub, memberships } = callerOf(request);
		const page = pageOf(request, ['number', 'number', 'string']);
		const visible = new Set(
			directory.visibleTo(memberships).map(({ id, generation }) => generationKey(id, generation)),
		);
		const { conversations: own, next } = await conversations.list(sub, visible, page);
		response.json({ conversations: own, ...nextCursorOf(next) });
	});

	router.delete('/conversations', async (request, response) => {
		await conversations.removeAll(callerOf(request).sub);
		response.status(204).end();
	});

	router.delete('/conversations/:id', async (request, response) => {
		await conversations.remove(callerOf(request).sub, String(request.params.id));
		response.status(204).end();
	});
}
