/** The types of the explainer: its question and its answer. */
import type * as api from '@crowdvision/contracts';
import type { TraceFilter } from '../trace/trace.ts';

/** Which messages are to be explained. Without any member it is the newest message of all. */
export interface Question extends TraceFilter {
	/** Id of a reading. */
	id?: string | undefined;
}

/** What happened to one message, or to one reading of it. */
export interface MessageReport extends api.MessageReport {
	/** Domains whose staff may see it. */
	domains: readonly string[];
}

/** The answer before it is reduced to what the asking account may see. */
export interface Explanation extends Omit<api.Explanation, 'question' | 'messages'> {
	question: Question;
	/** Newest first. */
	messages: MessageReport[];
}
