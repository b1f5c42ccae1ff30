import Type from 'typebox';
import type { Operation } from './operation.ts';
import { AskRequest } from './requests.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });

const Answer = Type.Object({
	answer: Type.String(),
	citations: Type.Array(Type.Object({ id: Type.String(), kind: Type.Enum(['room', 'alert']), label: Type.String() })),
	grounded: Type.Boolean({ description: 'false when it rests on nothing that was measured' }),
});

const Conversation = Type.Object({
	id: Type.String(),
	startedAt: EpochMs,
	updatedAt: EpochMs,
	turns: Type.Array(Type.Intersect([Type.Object({ at: EpochMs, question: Type.String() }), Answer])),
});

export const LLM_OPERATIONS: readonly Operation[] = [
	{
		method: 'post',
		path: '/llm/ask',
		summary: 'Ask about your buildings in plain language',
		description:
			'English or Italian; answered in the language of the question, from what was measured in buildings you may see.',
		who: 'account',
		request: { schema: AskRequest },
		answers: {
			200: {
				description: 'The answer, and what it rests on.',
				schema: Type.Intersect([Answer, Type.Object({ conversationId: Type.String() })]),
			},
		},
		errors: ['not_found'],
	},
	{
		method: 'get',
		path: '/llm/conversations',
		summary: 'What you asked and were told, newest conversation first',
		description:
			'The last 20 conversations, the last 50 turns of each; without what rests on a building you may no longer see.',
		who: 'account',
		answers: { 200: { description: 'Yours only.', schema: Type.Object({ conversations: Type.Array(Conversation) }) } },
	},
	{
		method: 'delete',
		path: '/llm/conversations',
		summary: 'Forget all of your conversations',
		who: 'account',
		answers: { 204: { description: 'Forgotten.' } },
	},
	{
		method: 'delete',
		path: '/llm/conversations/{id}',
		summary: 'Forget one of your conversations',
		who: 'account',
		answers: { 204: { description: 'Forgotten.' } },
	},
];
