import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { CrowdVisionError } from '@crowdvision/contracts';
import { pause } from '@crowdvision/service-kit';
import { decodeCanonical } from '../formats/canonical.ts';
import { DecodeError } from '../message/candidate.ts';
import type { Decoder, Decoding, Message } from '../message/decoder.ts';
import { textOf } from '../message/json.ts';
import { placeIn } from './jsonata-mapping.ts';
import type { MappingAnswer, MappingData, MappingTask } from './jsonata-thread.ts';

/** Beyond it JSONata stops by itself. Depth is that of functions calling themselves, sequence the items of an array. */
const OPTIONS = { timeout: 500, stack: 500, sequence: 100_000 };
/** Beyond it the thread is ended: a regular expression that runs away hears nothing. */
const PATIENCE_MS = 3000;
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 4 };
const START_PATIENCE_MS = 30_000;

/**
 * A mapping that a user wrote (https://docs.jsonata.org). Its input is the payload's JSON; `$topic` is the topic,
 * `$levels` its levels, `$name` what the wildcards of the filter stand for, `$receivedAt` epoch ms. It gives a reading,
 * an array of readings, or nothing where there is nothing to say.
 *
 * Each mapping has a thread of its own, started with its first message and ended with what takes too long: a bad
 * mapping costs its own messages only.
 */
export class JsonataDecoder implements Decoder {
	readonly #mapping: string;
	readonly #patienceMs: number;
	#thread: Promise<Worker> | undefined;
	/** One message at a time, so that each has its own patience. */
	#last: Promise<unknown> = Promise.resolve();
	#closed = false;

	constructor(mapping: string, patienceMs = PATIENCE_MS) {
		this.#mapping = mapping;
		this.#patienceMs = patienceMs;
	}

	/** @throws DecodeError, CrowdVisionError `not_json`, `unavailable` */
	decode(message: Message): Promise<Decoding> {
		const decoded = this.#last.then(() => this.#map(message));
		this.#last = decoded.then(
			() => this.#afterwards(),
			() => this.#afterwards(),
		);
		return decoded;
	}

	/**
	 * Lets the thread go when the message under way is mapped. What was on its way here by the rule of before is mapped
	 * all the same.
	 */
	async close(): Promise<void> {
		this.#closed = true;
		const patience = new AbortController();
		await Promise.race([this.#last, pause(this.#patienceMs, patience.signal)]).catch(() => undefined);
		patience.abort();
		await this.#end();
	}

	async #afterwards(): Promise<void> {
		if (this.#closed) await this.#end();
	}

	async #map({ raw, source, name, receivedAt }: Message): Promise<Decoding> {
		const variables = { topic: source, levels: source.split('/'), ...(name !== undefined && { name }), receivedAt };
		const answer = await this.#ask({ payload: textOf(raw), variables });
		if ('notJson' in answer) throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
		if ('mistake' in answer) {
			const { position, message } = answer.mistake;
			throw DecodeError.unreadable(`made the mapping fail at ${placeIn(this.#mapping, position)}: ${message}`);
		}
		const result: unknown = answer.json === undefined ? undefined : JSON.parse(answer.json);
		if (result === undefined || result === null || (Array.isArray(result) && result.length === 0))
			return 'nothing_mapped';
		return decodeCanonical(result, {});
	}

	async #ask(task: MappingTask): Promise<MappingAnswer> {
		this.#thread ??= startThread({ mapping: this.#mapping, options: OPTIONS });
		let thread: Worker;
		try {
			thread = await this.#thread;
		} catch (error) {
			this.#thread = undefined;
			throw new CrowdVisionError(
				'unavailable',
				`The thread of the mapping did not start: ${(error as Error).message}`,
				{},
				1,
			);
		}
		thread.postMessage(task);
		try {
			const [answer] = await once(thread, 'message', { signal: AbortSignal.timeout(this.#patienceMs) });
			return answer as MappingAnswer;
		} catch (error) {
			await this.#end();
			const why =
				(error as Error).name === 'AbortError' ? `took longer than ${this.#patienceMs} ms` : (error as Error).message;
			throw DecodeError.unreadable(`was not mapped: the mapping was stopped: ${why}`);
		}
	}

	async #end(): Promise<void> {
		const thread = this.#thread;
		this.#thread = undefined;
		await thread?.then(
			(worker) => worker.terminate(),
			() => undefined,
		);
	}
}

async function startThread(data: MappingData): Promise<Worker> {
	const worker = new Worker(new URL('./jsonata-thread.ts', import.meta.url), {
		name: 'jsonata',
		workerData: data,
		resourceLimits: RESOURCES,
		// Nothing of the environment: a mapping has no business with it.
		env: {},
	});
	worker.unref();
	// Without a listener an error of a thread, such as one of memory, would end the process.
	worker.on('error', () => undefined);
	await once(worker, 'message', { signal: AbortSignal.timeout(START_PATIENCE_MS) });
	return worker;
}
