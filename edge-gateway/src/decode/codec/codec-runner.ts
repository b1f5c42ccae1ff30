/** The thread in which all codecs run. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CrowdVisionError } from '@crowdvision/contracts';
import { waitAtMost } from '@crowdvision/service-kit';
import type { CodecTask } from './codec-thread.ts';
import type { CodecAnswer } from './sandbox.ts';

/** Long enough for a busy machine: a codec that runs in the interpreter is stopped there, much earlier. */
const MESSAGE_TIMEOUT_MS = 5000;
const START_TIMEOUT_MS = 30_000;
const RESOURCES = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };
/** A thread that has nothing to do for so long is ended: it takes about 20 MB. */
const IDLE_MS = 10 * 60_000;

/**
 * Runs codecs, one message at a time. The thread is started with the first message, and terminated by a message on
 * which a codec hangs in a way that the interpreter does not notice.
 */
export class CodecRunner {
	readonly #timeoutMs: number;
	#thread: Promise<Worker> | undefined;
	#last: Promise<unknown> = Promise.resolve();
	#idle: NodeJS.Timeout | undefined;

	constructor(timeoutMs = MESSAGE_TIMEOUT_MS) {
		this.#timeoutMs = timeoutMs;
	}

	/** @throws CrowdVisionError `unavailable` if the thread does not start */
	run(task: CodecTask): Promise<CodecAnswer> {
		const answer = this.#last.then(() => this.#ask(task));
		this.#last = answer.catch(() => undefined);
		return answer;
	}

	/** Ends the thread once the messages given so far are decoded, or after the timeout. */
	async close(): Promise<void> {
		await waitAtMost(this.#timeoutMs, this.#last);
		await this.#end();
	}

	async #ask(task: CodecTask): Promise<CodecAnswer> {
		clearTimeout(this.#idle);
		const thread = await this.#started();
		thread.postMessage(task);
		try {
			const [answer] = await once(thread, 'message', { signal: AbortSignal.timeout(this.#timeoutMs) });
			this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
			return answer as CodecAnswer;
		} catch (error) {
			await this.#end();
			const { name, message } = error as Error;
			return {
				failed: name === 'AbortError' ? `it ran for more than ${this.#timeoutMs} ms, and was stopped` : message,
			};
		}
	}

	async #started(): Promise<Worker> {
		this.#thread ??= startThread();
		try {
			return await this.#thread;
		} catch (error) {
			this.#thread = undefined;
			const message = `The thread of the codecs did not start: ${(error as Error).message}`;
			throw new CrowdVisionError('unavailable', message, {}, 1);
		}
	}

	async #end(): Promise<void> {
		clearTimeout(this.#idle);
		const thread = this.#thread;
		this.#thread = undefined;
		await thread?.then(
			(worker) => worker.terminate(),
			() => undefined,
		);
	}
}

async function startThread(): Promise<Worker> {
	const worker = new Worker(new URL('./codec-thread.ts', import.meta.url), {
		name: 'codecs',
		resourceLimits: RESOURCES,
		// Not even the sandbox itself sees the environment, which holds secrets.
		env: {},
	});
	worker.unref();
	// Without a listener an error of the thread, such as running out of memory, would end the process.
	worker.on('error', () => undefined);
	await once(worker, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
	return worker;
}
