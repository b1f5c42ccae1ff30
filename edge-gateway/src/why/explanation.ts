/** The question and the answer of the explainer. */
import type * as api from '@crowdvision/contracts';
import { tenantOf } from '@crowdvision/contracts';
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

/** Whether the caller may see a message of these domains, or asks for it. */
export type Visible = (domains: readonly string[]) => boolean;

/** The answer before it is reduced to what the asking account may see. */
export interface Explanation extends Omit<api.Explanation, 'question' | 'messages'> {
	question: Question;
	/** Newest first. */
	messages: MessageReport[];
}

/** Which messages are of the tenant of a domain; all for undefined. */
export function ofTenant(domainName: string | undefined): Visible {
	if (domainName === undefined) return () => true;
	return (domains) => domains.some((name) => tenantOf(name) === tenantOf(domainName));
}
