import { Worker } from 'node:worker_threads';
import type { CommitAnswer, CommitRequest, DiskFaults } from './thread.ts';

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** The one thread of a process for durable writes; all logs share it. */
export interface CommitWorker {
	/** Answers requests in order. Never rejects: the answer contains the error. */
	send(request: Unnumbered<CommitRequest>): Promise<CommitAnswer>;
	/** Resolves when all requests are answered and the thread has ended. */
	close(): Promise<void>;
}

/**
 * Starts the thread. If it dies, the requests under way fail and the next request starts another. `faults` simulate a
 * slow or full disk in tests.
 */
export function startCommitWorker(faults: DiskFaults = {}): CommitWorker {
	let thread: Thread | undefined = new Thread(faults);
	let closed = false;
	return {
		send(request) {
			if (closed) return Promise.resolve({ id: 0, error: { code: 'EWORKER', message: 'the commit thread is closed' } });
			if (!thread || thread.ended) thread = new Thread(faults);
			return thread.send(request);
		},
		async close() {
			closed = true;
			await thread?.close();
			thread = undefined;
		},
	};
}

class Thread {
	ended = false;
	readonly #worker: Worker;
	readonly #pending = new Map<number, (answer: CommitAnswer) => void>();
	#lastId = 0;
	#idle: (() => void) | undefined;

	constructor(faults: DiskFaults) {
		this.#worker = new Worker(new URL('./thread.ts', import.meta.url), {
			workerData: faults,
			resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
			execArgv: [],
			name: 'log-commit',
		});
		this.#worker.on('message', (answer: CommitAnswer) => this.#answer(answer));
		this.#worker.on('error', (error) => this.#end(error.message));
		this.#worker.on('exit', () => this.#end('the commit thread has ended'));
		this.#worker.unref();
	}

	send(request: Unnumbered<CommitRequest>): Promise<CommitAnswer> {
		return new Promise((resolve) => {
			const id = ++this.#lastId;
			if (this.#pending.size === 0) this.#worker.ref();
			this.#pending.set(id, resolve);
			try {
				this.#worker.postMessage({ ...request, id }, request.kind === 'write' ? [request.data] : []);
			} catch (error) {
				this.#answer({ id, error: { code: 'EWORKER', message: (error as Error).message } });
			}
		});
	}

	async close(): Promise<void> {
		if (this.#pending.size > 0) {
			await new Promise<void>((resolve) => {
				this.#idle = resolve;
			});
		}
		await this.#worker.terminate();
	}

	#answer(answer: CommitAnswer): void {
		const settle = this.#pending.get(answer.id);
		this.#pending.delete(answer.id);
		settle?.(answer);
		if (this.#pending.size > 0) return;
		this.#worker.unref();
		this.#idle?.();
	}

	#end(message: string): void {
		this.ended = true;
		for (const id of [...this.#pending.keys()]) this.#answer({ id, error: { code: 'EWORKER', message } });
	}
}
