import { Worker } from 'node:worker_threads';
import type { CommitAnswer, CommitRequest, DiskFaults } from './commit-thread.ts';

type Pending = (answer: CommitAnswer) => void;
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** The process's one thread for durable writes; logs share it. */
export interface CommitWorker {
	/** Answers in order. Never rejects: a failure is in the answer. */
	send(request: Unnumbered<CommitRequest>): Promise<CommitAnswer>;
	/** Resolves when all requests are answered and the thread has ended. */
	close(): Promise<void>;
}

/** Starts the thread. `faults` stand for a slow or a full disk, in tests. */
export function startCommitWorker(faults: DiskFaults = {}): CommitWorker {
	const worker = new Worker(new URL('./commit-thread.ts', import.meta.url), {
		workerData: faults,
		resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
		execArgv: [],
		name: 'log-commit',
	});
	worker.unref();
	const pending = new Map<number, Pending>();
	let lastId = 0;
	let failed: Error | undefined;
	const fail = (error: Error) => {
		failed ??= error;
		for (const [id, answer] of pending) answer({ id, error: { code: 'EWORKER', message: error.message } });
		pending.clear();
	};
	worker.on('message', (answer: CommitAnswer) => {
		const settle = pending.get(answer.id);
		pending.delete(answer.id);
		if (pending.size === 0) worker.unref();
		settle?.(answer);
	});
	worker.on('error', fail);
	worker.on('exit', () => fail(new Error('the commit thread has ended')));
	return {
		send(request) {
			return new Promise((resolve) => {
				const id = ++lastId;
				if (failed) return resolve({ id, error: { code: 'EWORKER', message: failed.message } });
				if (pending.size === 0) worker.ref();
				pending.set(id, resolve);
				worker.postMessage({ ...request, id }, request.kind === 'write' ? [request.data] : []);
			});
		},
		async close() {
			await Promise.all([...pending.keys()].map((id) => new Promise<void>((resolve) => chain(pending, id, resolve))));
			await worker.terminate();
		},
	};
}

function chain(pending: Map<number, Pending>, id: number, then: () => void): void {
	const before = pending.get(id);
	pending.set(id, (answer) => {
		before?.(answer);
		then();
	});
}
