import Type from 'typebox';
import { AskRequest } from '../requests.ts';
import type { Operation } from './operation.ts';

export const Answer = Type.Object({
	answer: Type.String(),
	citations: Type.Array(Type.Object({ id: Type.String(), kind: Type.Enum(['room', 'alert']), label: Type.String() })),
	grounded: Type.Boolean({ description: 'false when it rests on nothing that was measured' }),
});

export const LLM_OPERATIONS: readonly Operation[] = [
	{
		method: 'post',
		path: '/llm/ask',
		summary: 'Ask about your buildings in plain language',
		description: 'English or Italian; answered in the language of the question, from what was measured in buildings you may see.',
		who: 'account',
		request: { schema: AskRequest },
		answers: { 200: { description: 'The answer, and what it rests on.', schema: Answer } },
	},
];
