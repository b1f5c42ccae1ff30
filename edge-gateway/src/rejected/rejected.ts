import type { ErrorCode, Transport } from '@crowdvision/contracts';
import { type CommitWorker, Log, type LogRecord } from '@crowdvision/log';
import type { FrameContext } from '../decode/message/candidate.ts';
import type { Sender } from '../normalize/identify.ts';
import { decodePayload, encodePayload, type Payload, sampleOf, withoutTokens } from '../payload.ts';
import { matchesFilter } from '../topics/topic-filter.ts';

/** A refused frame as it is listed. */
export interface Rejection {
	/** Rises; what is replayed is named by it. */
	id: number;
	at: number;
	transport: Transport;
	/** Topic, path or port it came by. */
	source: string;
	/** Device or port; its domain decides who may see this. */
	sender?: string;
	domainName?: string;
	/** The sensor it is of, where that could be told. */
	sensorId?: string;
	code: ErrorCode;
	message: string;
	path?: string;
	/** The beginning of what was sent: text, or hex where it is not text. */
	sample: string;
	/** How many bytes were sent. */
	bytes: number;
	/** Whether all of them are kept, so that it can be replayed. */
	whole: boolean;
	/** When it was replayed with success, and how many readings that gave. */
	replayed?: { at: number; accepted: number };
}

/** What refuses tells of a frame. */
export interface Refusal {
	at: number;
	transport: Transport;
	source: string;
	port?: string | undefined;
	sender: Sender | undefined;
	sensorId?: string | undefined;
	code: ErrorCode;
	message: string;
	path?: string | undefined;
	raw: Buffer;
	context?: FrameContext | undefined;
	contentType?: string | undefined;
	/** The value the bytes stand for, where the gateway's configuration adds to it (serial). */
	value?: unknown;
}

/** A refusal with all that it takes to take it in again. */
export interface WholeRejection extends Refusal {
	id: number;
}

/** Which ones. What is left out does not restrict. */
export interface RejectedQuery {
	sensor?: string | undefined;
	/** A topic or a filter, or another way in. */
	topic?: string | undefined;
	sender?: string | undefined;
	code?: string | undefined;
	transport?: string | undefined;
	/** Refused at this time or later, epoch ms. */
	since?: number | undefined;
	/** Only those before this id. */
	before?: number | undefined;
	/** `open`: not replayed yet. Default: all. */
	state?: 'open' | 'replayed' | 'all' | undefined;
}

/** What its sender may write, as it was then. */
interface Scope {
	sensorIds?: string[];
	buildingId?: string;
	issuedAt?: number;
	bridge?: string;
}

/** As it stands on disk: a refusal, or that one was replayed. */
interface Kept extends Omit<Rejection, 'id' | 'replayed'> {
	port?: string;
	payload?: Payload;
	scope?: Scope;
	context?: FrameContext;
	contentType?: string;
	value?: unknown;
}
interface Mark {
	replayed: number;
	at: number;
	accepted: number;
}

const MOST_ON_HAND = 1000;
const MAX_BYTES = 32 * 1024 * 1024;
const LARGEST_KEPT = 64 * 1024;
const PAGE = 500;
const MARK = Buffer.from('{"replayed":');

/** The list of what was refused and why: the newest on hand, all that fits the bound on disk, oldest dropped first. */
export class Rejected {
	readonly #log: Log;
	readonly #newest: Rejection[] = [];
	readonly #replayed = new Map<number, { at: number; accepted: number }>();

	private constructor(log: Log) {
		this.#log = log;
	}

	static async open(dir: string, worker: CommitWorker, onIncident: (incident: object) => void): Promise<Rejected> {
		const log = await Log.open({ dir, worker, maxBytes: MAX_BYTES, whenFull: 'drop-oldest', onIncident });
		const list = new Rejected(log);
		try {
			await list.#read();
		} catch (error) {
			await log.close();
			throw error;
		}
		return list;
	}

	/** Finds the newest refusals, and which ones were replayed. */
	async #read(): Promise<void> {
		const log = this.#log;
		let newest: LogRecord[] = [];
		for (let next = log.startOffset; ; ) {
			const read = await log.read(next);
			if (read.next === next) break;
			next = read.next;
			for (const record of read.records) {
				if (!isMark(record)) newest.push(record);
				else this.#mark(JSON.parse(record.payload.toString()) as Mark);
			}
			newest = newest.slice(-MOST_ON_HAND);
		}
		for (const record of newest) this.#remember(rejectionOf(record)!);
	}

	/**
	 * Keeps a refusal. Resolves when it is on disk, and also when it cannot be kept: a full list must not hold up intake.
	 */
	async add(refusal: Refusal): Promise<void> {
		const { kept, spelled } = spell(keptOf(refusal));
		const { port, payload, scope, context, contentType, value, ...shown } = kept;
		this.#remember({ id: this.#log.nextOffset, ...shown });
		await this.#log.append([{ payload: spelled, at: refusal.at }]).catch(() => undefined);
	}

	/** Those that match, newest first, at most `limit`; the newest are on hand, older ones are read from the disk. */
	async list(query: RejectedQuery, limit: number, visible: (rejection: Rejection) => boolean): Promise<Rejection[]> {
		const found: Rejection[] = [];
		const wanted = (rejection: Rejection) => this.#matches(rejection, query) && visible(rejection);
		const take = (rejections: readonly Rejection[]) => {
			for (const rejection of rejections) {
				const replayed = this.#replayed.get(rejection.id);
				if (found.length < limit && wanted(rejection)) found.push(replayed ? { ...rejection, replayed } : rejection);
			}
		};
		take(this.#newest.toReversed());
		const since = query.since ?? 0;
		for (let before = this.#newest[0]?.id ?? 0; found.length < limit && before > this.#log.startOffset; ) {
			const from = Math.max(this.#log.startOffset, before - PAGE);
			const page = (await this.#log.read(from, { maxRecords: before - from, maxBytes: MAX_BYTES })).records.filter(
				({ offset }) => offset < before,
			);
			take(page.flatMap((record) => rejectionOf(record) ?? []).reverse());
			if (page[0] && page[0].at < since) break;
			before = from;
		}
		return found;
	}

	/** One with all that is kept of it; undefined where there is none (any more), or not all of its bytes were kept. */
	async whole(id: number): Promise<WholeRejection | undefined> {
		const { records } = await this.#log.read(id, { maxRecords: 1 });
		const kept = records[0]?.offset === id ? keptIn(records[0]) : undefined;
		if (!kept?.payload) return undefined;
		const {
			payload,
			sender: senderId,
			domainName,
			scope,
			sample: _sample,
			bytes: _bytes,
			whole: _whole,
			...rest
		} = kept;
		const { sensorIds, buildingId, ...more }: Scope = scope ?? {};
		const sender =
			senderId === undefined
				? undefined
				: { ...more, id: senderId, domainName, sensorIds: sensorIds && new Set(sensorIds), buildingId };
		return { ...rest, id, raw: decodePayload(payload), sender };
	}

	isReplayed(id: number): boolean {
		return this.#replayed.has(id);
	}

	/** Remembers that one was taken after all. Resolves when that is on disk. */
	async markReplayed(id: number, at: number, accepted: number): Promise<void> {
		const mark: Mark = { replayed: id, at, accepted };
		this.#mark(mark);
		await this.#log.append([{ payload: JSON.stringify(mark), at }]);
	}

	close(): Promise<void> {
		return this.#log.close();
	}

	#matches(rejection: Rejection, query: RejectedQuery): boolean {
		const { state = 'all', sensor, topic, sender, code, transport, since, before } = query;
		if (state !== 'all' && (state === 'replayed') !== this.#replayed.has(rejection.id)) return false;
		if (before !== undefined && rejection.id >= before) return false;
		if (since !== undefined && rejection.at < since) return false;
		if (code !== undefined && rejection.code !== code) return false;
		if (transport !== undefined && rejection.transport !== transport) return false;
		if (sender !== undefined && rejection.sender !== sender) return false;
		if (topic !== undefined && !matchesFilter(topic, rejection.source)) return false;
		return sensor === undefined || isAbout(rejection, sensor);
	}

	#mark({ replayed, at, accepted }: Mark): void {
		this.#replayed.set(replayed, { at, accepted });
		// What the log has dropped is listed no more.
		for (const id of this.#replayed.keys()) {
			if (id >= this.#log.startOffset) break;
			this.#replayed.delete(id);
		}
	}

	#remember(rejection: Rejection): void {
		this.#newest.push(rejection);
		if (this.#newest.length > MOST_ON_HAND) this.#newest.shift();
	}
}

/** What is asked about by one name: whether it is of this sensor, from this device, or by a topic with such a level. */
export function concerns({ sensorId, sender, source }: Rejection, name: string): boolean {
	return sensorId === name || sender === name || source.split('/').includes(name);
}

/** Whether it is of this sensor, as far as anything of it says so. */
function isAbout({ sensorId, sender, source }: Rejection, sensor: string): boolean {
	if (sensorId !== undefined) return sensorId === sensor;
	return sender === sensor || source.split('/').includes(sensor);
}

function keptOf(refusal: Refusal): Kept {
	const { at, transport, source, port, sender, sensorId, code, message, path, raw, context, contentType, value } =
		refusal;
	const redacted = withoutTokens(raw);
	const whole = !redacted && raw.length <= LARGEST_KEPT;
	const { sensorIds, buildingId, issuedAt, bridge } = sender ?? {};
	const scope = {
		...(sensorIds && { sensorIds: [...sensorIds] }),
		...(buildingId !== undefined && { buildingId }),
		...(issuedAt !== undefined && { issuedAt }),
		...(bridge !== undefined && { bridge }),
	};
	return {
		at,
		transport,
		source,
		...(port !== undefined && { port }),
		...(sender && { sender: sender.id }),
		...(sender?.domainName !== undefined && { domainName: sender.domainName }),
		...(sensorId !== undefined && { sensorId }),
		code,
		message,
		...(path !== undefined && { path }),
		sample: sampleOf(redacted ?? raw),
		bytes: raw.length,
		whole,
		...(whole && { payload: encodePayload(raw) }),
		...(whole && sender && { scope }),
		...(whole && context && { context }),
		...(contentType !== undefined && { contentType }),
		...(whole && value !== undefined && { value }),
	};
}

/** As JSON. Without a value that is nested deeper than the stack: then it can be shown, but not taken in again. */
function spell(kept: Kept): { kept: Kept; spelled: string } {
	try {
		return { kept, spelled: JSON.stringify(kept) };
	} catch {
		const { value: _deep, payload: _payload, scope: _scope, context: _context, ...rest } = kept;
		const shown = { ...rest, whole: false };
		return { kept: shown, spelled: JSON.stringify(shown) };
	}
}

function isMark({ payload }: LogRecord): boolean {
	return payload.subarray(0, MARK.length).equals(MARK);
}

function keptIn(record: LogRecord): Kept | undefined {
	return isMark(record) ? undefined : (JSON.parse(record.payload.toString()) as Kept);
}

/** Undefined for a mark. What an earlier version wrote has no whole payload. */
export function rejectionOf(record: LogRecord): Rejection | undefined {
	const kept = keptIn(record);
	if (!kept) return undefined;
	const { port, payload, scope, context, contentType, value, ...shown } = kept;
	return {
		id: record.offset,
		...shown,
		bytes: shown.bytes ?? Buffer.byteLength(shown.sample),
		whole: payload !== undefined,
	};
}
