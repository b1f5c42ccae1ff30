/** The requests that the assistant serves, with their answers. */
import Type, { type Static } from 'typebox';
import { CONVERSATION_BOUNDS } from './http.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';
import { AskRequest } from './requests.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });

const Citation = Type.Object({ id: Type.String(), kind: Type.Enum(['room', 'alert']), label: Type.String() });
/** A source of an answer: a room, by `building/room`, or an alert. */
export type Citation = Static<typeof Citation>;

const Answer = Type.Object({
	answer: Type.String(),
	citations: Type.Array(Citation),
	grounded: Type.Boolean({ description: 'false if it is not based on measured values' }),
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
			'English or Italian; answered in the language of the question, from values of the buildings that you may see.',
		who: 'account',
		request: { schema: AskRequest },
		answers: {
			200: {
				description: 'The answer and its sources.',
				schema: Type.Intersect([Answer, Type.Object({ conversationId: Type.String() })]),
			},
		},
		errors: ['not_found'],
	},
	{
		method: 'get',
		path: '/llm/conversations',
		summary: 'List your conversations, newest first',
		description:
			`The last ${CONVERSATION_BOUNDS.conversations} conversations with their last ${CONVERSATION_BOUNDS.turns} ` +
			'turns, without turns about a building that you may no longer see.',
		who: 'account',
		query: Type.Object(pageQuery()),
		answers: {
			200: { description: 'Only your own.', schema: pageOf('conversations', Conversation) },
		},
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'delete',
		path: '/llm/conversations',
		summary: 'Delete all of your conversations',
		who: 'account',
		answers: { 204: { description: 'Deleted.' } },
	},
	{
		method: 'delete',
		path: '/llm/conversations/{id}',
		summary: 'Delete one of your conversations',
		who: 'account',
		answers: { 204: { description: 'Deleted.' } },
	},
];
