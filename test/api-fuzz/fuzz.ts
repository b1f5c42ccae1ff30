/** Sends generated requests to every operation of the OpenAPI document, and collects what answers wrongly. */
import fc from 'fast-check';
import { AnswerCheck, type Document, type Operation, operationsOf } from './document.ts';
import { type Request, requestsOf } from './requests.ts';
import { openSite, type Site } from './site.ts';

export interface Report {
	operations: number;
	requests: number;
	/** Answers by status. */
	statuses: Record<string, number>;
	/** Operations that never answered below 400. */
	neverSucceeded: string[];
	/** One per operation and kind of mistake. */
	findings: string[];
}

export interface FuzzOptions {
	seconds: number;
	seed: number;
	/** Most requests per operation and round. */
	runs?: number;
	/** Part of the ids of the operations to try; default: all. */
	only?: string;
	log?: (line: string) => void;
}

/**
 * Tries the operations one after the other, in rounds, until the time is over; each at least once. All of a run follows
 * from its seed, except what the product makes up, such as ids.
 */
export async function fuzzApi({ seconds, seed, runs = 60, only = '', log }: FuzzOptions): Promise<Report> {
	const site = await openSite();
	try {
		const document = site.document as Document;
		const operations = operationsOf(document).filter(({ operationId }) => operationId.includes(only));
		const check = new AnswerCheck(document);
		const tally = new Tally(operations);
		const end = performance.now() + seconds * 1000;
		for (let round = 0; round === 0 || performance.now() < end; round++) {
			for (const [index, operation] of operations.entries()) {
				const left = end - performance.now();
				if (round > 0 && left <= 0) break;
				const share = Math.max(100, left / (operations.length - index));
				// What the operation before may have taken away; a GET takes nothing.
				if (operations.at(index - 1)!.method !== 'GET') await site.furnish();
				const found = await tryOne({ site, operation, check, tally, seed: seed + round, runs, share });
				if (found && tally.found(operation, found)) log?.(`${operation.operationId}: ${found}`);
			}
		}
		return tally.report();
	} finally {
		await site.stop();
	}
}

interface Trial {
	site: Site;
	operation: Operation;
	check: AnswerCheck;
	tally: Tally;
	seed: number;
	runs: number;
	/** Time for it, in ms. */
	share: number;
}

/** The smallest request that is answered wrongly, with the mistake. */
async function tryOne({ site, operation, check, tally, seed, runs, share }: Trial): Promise<string | undefined> {
	const requests = requestsOf(operation, site.known);
	const property = fc.asyncProperty(requests, async (request) => {
		const { method } = operation;
		const answer = await site.send(method, request).catch((error: Error) => error);
		const mistake =
			answer instanceof Error ? `does not answer: ${answer.message}` : check.mistake(operation, request.path, answer);
		if (!(answer instanceof Error)) tally.count(operation, answer.status);
		if (mistake !== undefined) throw new Error(`${described(method, request)} ${mistake}`);
	});
	const details = await fc.check(property, {
		seed,
		numRuns: runs,
		interruptAfterTimeLimit: share,
		markInterruptAsFailure: false,
	});
	// A run that was interrupted before its first request has failed without an error.
	return (details.errorInstance as Error | null)?.message;
}

function described(method: string, { role, path, headers, body }: Request): string {
	const sent =
		body === undefined ? '' : ` ${typeof body === 'string' ? JSON.stringify(body) : `hex ${body.toString('hex')}`}`;
	return `${method} ${path} by ${role} ${JSON.stringify(headers)}${sent.slice(0, 1000)}`;
}

class Tally {
	readonly #operations: number;
	#requests = 0;
	readonly #statuses = new Map<number, number>();
	readonly #unsuccessful: Set<string>;
	readonly #findings = new Map<string, string>();

	constructor(operations: readonly Operation[]) {
		this.#operations = operations.length;
		this.#unsuccessful = new Set(operations.map(({ operationId }) => operationId));
	}

	count({ operationId }: Operation, status: number): void {
		this.#requests++;
		this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
		if (status < 400) this.#unsuccessful.delete(operationId);
	}

	/** Whether it is a new one. */
	found({ operationId }: Operation, mistake: string): boolean {
		const kind = `${operationId} ${/(answers \d+|does not answer)/.exec(mistake)?.[0]}`;
		if (this.#findings.has(kind)) return false;
		this.#findings.set(kind, mistake);
		return true;
	}

	report(): Report {
		return {
			operations: this.#operations,
			requests: this.#requests,
			statuses: Object.fromEntries([...this.#statuses].sort(([a], [b]) => a - b)),
			neverSucceeded: [...this.#unsuccessful],
			findings: [...this.#findings.values()],
		};
	}
}
