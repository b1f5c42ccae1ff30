import Type, { type Static } from 'typebox';
import { CONVERSATION_BOUNDS } from './http.ts';
import type { Operation } from './operation.ts';
import { AskRequest } from './requests.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });

const Citation = Type.Object({ id: Type.String(), kind: Type.Enum(['room', 'alert']), label: Type.String() });
/** A source of an answer: a room, by `building/room`, or an alert. */
export type Citation = Static<typeof Citation>;

const Answer = Type.Object({
	answer: Type.String(),
	citations: Type.Array(Citation),
	grounded: Type.Boolean({ description: 'false when it rests on nothing that was measured' }),
});

/** An answer in the language of its question. */
export type Answer = Static<typeof Answer>;

const Conversation = Type.Object({
	id: Type.String(),
	startedAt: EpochMs,
	updatedAt: EpochMs,
	turns: Type.Array(Type.Intersect([Type.Object({ at: EpochMs, question: Type.String() }), Answer])),
});

/** Questions and answers of an account, oldest first. */
export type Conversation = Static<typeof Conversation>;

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
			`The last ${CONVERSATION_BOUNDS.conversations} conversations, the last ${CONVERSATION_BOUNDS.turns} turns of each; ` +
			'without what rests on a building you may no longer see.',
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
