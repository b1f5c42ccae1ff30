/** The decoder that maps messages by a JSONata expression, in a worker thread for each mapping. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { BUILT_IN_METRICS, CrowdVisionError, type MetricLookup } from '@crowdvision/contracts';
import { waitAtMost } from '@crowdvision/service-kit';
import { decodeFrame } from '../formats/canonical.ts';
import { DecodeError } from '../message/candidate.ts';
import type { Decoder, Decoding, Message } from '../message/decoder.ts';
import { textOf } from '../message/json.ts';
import { placeIn } from './jsonata-mapping.ts';
import type { MappingAnswer, MappingData, MappingTask } from './jsonata-thread.ts';

/** Limits at which JSONata stops by itself: ms, depth of recursion, items of an array. */
const OPTIONS = { timeout: 500, stack: 500, sequence: 100_000 };
/** After this time the thread is terminated: a runaway regular expression does not notice JSONata's own limits. */
const MESSAGE_TIMEOUT_MS = 3000;
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 4 };
const START_TIMEOUT_MS = 30_000;
const USES_TEXT = /\$text\b/;
const BYTE_ORDER_MARK = /^\ufeff/;

/**
 * Decodes messages with a JSONata mapping of the user (https://docs.jsonata.org). Its input is the payload: the
 * value of JSON, or else its text. `$text` is the payload's text, `$topic` the topic, `$levels` its levels, `$name` the
 * levels that the filter's wildcards match, `$receivedAt` epoch ms. What begins as a JSON document does and is none is
 * refused, unless the mapping uses `$text`: a torn document would else pass for a text. It returns a reading, an array
 * of readings, or nothing.
 *
 * Each mapping has a thread of its own, started with the first message and terminated by a message that takes too long,
 * so that a bad mapping affects only its own messages.
 */
export class JsonataDecoder implements Decoder {
	readonly #mapping: string;
	readonly #readsText: boolean;
	readonly #metrics: MetricLookup;
	readonly #timeoutMs: number;
	#thread: Promise<Worker> | undefined;
	/** One message is mapped at a time, so that each has its own timeout. */
	#last: Promise<unknown> = Promise.resolve();
	#closed = false;

	constructor(mapping: string, metrics: MetricLookup = BUILT_IN_METRICS, timeoutMs = MESSAGE_TIMEOUT_MS) {
		this.#mapping = mapping;
		this.#readsText = USES_TEXT.test(mapping);
		this.#metrics = metrics;
		this.#timeoutMs = timeoutMs;
	}

	/** Maps one message. @throws DecodeError, CrowdVisionError `not_json`, `unavailable` */
	decode(message: Message): Promise<Decoding> {
		const decoded = this.#last.then(() => this.#map(message));
		this.#last = decoded.then(
			() => this.#endIfClosed(),
			() => this.#endIfClosed(),
		);
		return decoded;
	}

	/**
	 * Ends the thread once the messages given so far are mapped, or after the timeout. A message that still arrives by
	 * the old rule is mapped as well.
	 */
	async close(): Promise<void> {
		this.#closed = true;
		await waitAtMost(this.#timeoutMs, this.#last);
		await this.#end();
	}

	async #endIfClosed(): Promise<void> {
		if (this.#closed) await this.#end();
	}

	async #map({ raw, source, name, receivedAt }: Message): Promise<Decoding> {
		const text = textOf(raw).replace(BYTE_ORDER_MARK, '');
		const variables = { topic: source, levels: source.split('/'), ...(name !== undefined && { name }), receivedAt };
		const answer = await this.#ask({ payload: text, readsText: this.#readsText, variables });
		if ('notJson' in answer) throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
		if ('mistake' in answer) {
			const { position, message } = answer.mistake;
			throw DecodeError.unreadable(`made the mapping fail at ${placeIn(this.#mapping, position)}: ${message}`);
		}
		const result: unknown = answer.json === undefined ? undefined : JSON.parse(answer.json);
		if (result === undefined || result === null || (Array.isArray(result) && result.length === 0))
			return 'nothing_mapped';
		// What a mapping makes of one device's message is taken in part, as of any other vendor's format.
		return decodeFrame({ raw, parsed: result, context: {}, partial: true }, this.#metrics);
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
				`The mapping's thread did not start: ${(error as Error).message}`,
				{},
				1,
			);
		}
		thread.postMessage(task);
		try {
			const [answer] = await once(thread, 'message', { signal: AbortSignal.timeout(this.#timeoutMs) });
			return answer as MappingAnswer;
		} catch (error) {
			await this.#end();
			const { name, message } = error as Error;
			throw DecodeError.unreadable(
				name === 'AbortError'
					? `was not mapped: the mapping took longer than ${this.#timeoutMs} ms`
					: `was not mapped: the mapping's thread failed: ${message}`,
			);
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
		// A mapping must not see the environment, which holds secrets.
		env: {},
	});
	worker.unref();
	// Without a listener an error of the thread, such as running out of memory, would end the process.
	worker.on('error', () => undefined);
	await once(worker, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
	return worker;
}
