import { StringDecoder } from 'node:string_decoder';
import type { ErrorCode, Transport } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';

/** A refused frame, kept for whoever looks for it. */
export interface Rejection {
	at: number;
	transport: Transport;
	/** Topic, path or port it came by. */
	source: string;
	/** Device or port; its domain decides who may see this. */
	sender: string | undefined;
	domainName: string | undefined;
	code: ErrorCode;
	message: string;
	path?: string;
	/** The beginning of what was sent: text, or hex where it is not text. */
	sample: string;
}

const MOST_LISTED = 1000;
const MAX_BYTES = 16 * 1024 * 1024;
const SAMPLE_BYTES = 256;

/** The list of what was refused and why: the newest on hand, all that fits the bound on disk, oldest dropped first. */
export class Rejected {
	readonly #log: Log;
	readonly #newest: Rejection[] = [];

	private constructor(log: Log) {
		this.#log = log;
	}

	static async open(dir: string, worker: CommitWorker, onIncident: (incident: object) => void): Promise<Rejected> {
		const log = await Log.open({ dir, worker, maxBytes: MAX_BYTES, whenFull: 'drop-oldest', onIncident });
		const list = new Rejected(log);
		// A list for people: the newest thousand are what they look at, and ids rise by one.
		for (let next = Math.max(log.startOffset, log.endOffset - MOST_LISTED); ; ) {
			const read = await log.read(next);
			if (read.next === next) break;
			next = read.next;
			for (const { payload } of read.records) list.#remember(JSON.parse(payload.toString()) as Rejection);
		}
		return list;
	}

	/** Keeps a refusal. Resolves when it is on disk, and also when it cannot be kept: a full list must not hold up intake. */
	async add(rejection: Rejection): Promise<void> {
		this.#remember(rejection);
		await this.#log.append([{ payload: JSON.stringify(rejection), at: rejection.at }]).catch(() => undefined);
	}

	/** Newest first. */
	list(limit: number, visible: (rejection: Rejection) => boolean): Rejection[] {
		return this.#newest.toReversed().filter(visible).slice(0, limit);
	}

	close(): Promise<void> {
		return this.#log.close();
	}

	#remember(rejection: Rejection): void {
		this.#newest.push(rejection);
		if (this.#newest.length > MOST_LISTED) this.#newest.shift();
	}
}

/** The beginning of a payload as a person can read it. */
export function sampleOf(payload: Buffer): string {
	const start = payload.subarray(0, SAMPLE_BYTES);
	// Cut in the middle of a character, a text is one all the same.
	const text = start.length < payload.length ? new StringDecoder('utf8').write(start) : start.toString('utf8');
	return /[^\P{Cc}\t\n\r]|\ufffd/u.test(text) ? `hex ${start.toString('hex')}` : text;
}
