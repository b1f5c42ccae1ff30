/** The list of refused frames: stored on disk, searched, and loaded for a replay. */
import type { ErrorCode, Rejection, Transport } from '@crowdvision/contracts';
import { type CommitWorker, Log, type LogRecord } from '@crowdvision/log';
import type { FrameContext } from '../decode/message/candidate.ts';
import type { Sender } from '../normalize/identify.ts';
import { decodePayload, encodePayload, type Payload, sampleOf } from '../payload.ts';
import { maskSecrets, withoutSecrets } from '../secrets.ts';
import { matchesFilter } from '../topics/topic-filter.ts';

/** A refused frame, to be added to the list. */
export interface Refusal {
	at: number;
	transport: Transport;
	source: string;
	port?: string | undefined;
	sender: Sender | undefined;
	sensorId?: string | undefined;
	/** All sensors for which it is refused, if they are several. */
	sensorIds?: readonly string[];
	code: ErrorCode;
	message: string;
	path?: string | undefined;
	raw: Buffer;
	context?: FrameContext | undefined;
	contentType?: string | undefined;
	/** The decoded value, if the gateway's configuration adds members to it (serial). */
	value?: unknown;
	/** If only parts of the message were refused: which (see intake/parts.ts). */
	parts?: readonly string[] | undefined;
	/** How many readings of the message were taken. */
	taken?: number;
}

/** A stored refusal with everything that a replay needs. */
export interface ReplayableRefusal extends Refusal {
	id: number;
}

/** Selects refusals. A missing member does not restrict. */
export interface RejectedQuery {
	sensor?: string | undefined;
	/** An MQTT topic or filter, or another source. */
	topic?: string | undefined;
	sender?: string | undefined;
	code?: string | undefined;
	transport?: string | undefined;
	/** Only those received at this time or later, epoch ms. */
	since?: number | undefined;
	/** Only those before this id. */
	before?: number | undefined;
	/** `open`: not yet replayed. Default: all. */
	state?: 'open' | 'replayed' | 'all' | undefined;
}

/** The sender's scope at the time of the refusal. */
interface Scope {
	sensorIds?: string[];
	buildingId?: string;
	issuedAt?: number;
	bridge?: string;
}

/** A refusal on disk. */
interface StoredRefusal extends Omit<Rejection, 'id' | 'replayed'> {
	port?: string;
	payload?: Payload;
	scope?: Scope;
	context?: FrameContext;
	contentType?: string;
	value?: unknown;
	parts?: readonly string[];
}

/** A record on disk which says that a refusal was replayed. */
interface Mark {
	replayed: number;
	at: number;
	accepted: number;
}

const MAX_IN_MEMORY = 1000;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 64 * 1024;
const PAGE = 500;
const SIGN_IN = /^HELLO\s/;
const MARK = Buffer.from('{"replayed":');

/**
 * The list of refused frames and the reasons. The newest thousand are in memory; on disk are all that fit in 32 MiB,
 * and the oldest are dropped first.
 */
export class Rejected {
	readonly #log: Log;
	readonly #newest: Rejection[] = [];
	readonly #replayed = new Map<number, { at: number; accepted: number }>();

	private constructor(log: Log) {
		this.#log = log;
	}

	/** Opens the list in `dir`. `onIncident` is called for damage found on disk. */
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

	/** Reads the newest refusals, and which ones were replayed. */
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
			newest = newest.slice(-MAX_IN_MEMORY);
		}
		for (const record of newest) this.#remember(rejectionOf(record)!);
	}

	/**
	 * Adds a refusal. Resolves when it is on disk, and also if it cannot be written: the list must never hold up intake.
	 */
	async add(refusal: Refusal): Promise<void> {
		const { stored, json } = serialize(storedOf(refusal));
		const { port, payload, scope, context, contentType, value, parts, ...shown } = stored;
		this.#remember({ id: this.#log.nextOffset, ...shown });
		await this.#log.append([{ payload: json, at: refusal.at }]).catch(() => undefined);
	}

	/** The matching refusals, newest first, at most `limit`. Older ones are read from disk. */
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

	/** A refusal with its payload; undefined if it does not exist (any more) or its payload is not stored as a whole. */
	async load(id: number): Promise<ReplayableRefusal | undefined> {
		const { records } = await this.#log.read(id, { maxRecords: 1 });
		const stored = records[0]?.offset === id ? storedIn(records[0]) : undefined;
		if (!stored?.payload) return undefined;
		const {
			payload,
			sender: senderId,
			domainName,
			scope,
			sample: _sample,
			bytes: _bytes,
			whole: _whole,
			...rest
		} = stored;
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

	/** Notes that a replay of a refusal was accepted. Resolves when that is on disk. */
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
		// Refusals that the log has dropped are no longer listed.
		for (const id of this.#replayed.keys()) {
			if (id >= this.#log.startOffset) break;
			this.#replayed.delete(id);
		}
	}

	#remember(rejection: Rejection): void {
		this.#newest.push(rejection);
		if (this.#newest.length > MAX_IN_MEMORY) this.#newest.shift();
	}
}

/** Whether a refusal concerns a name: as its sensor, its device, or a level of its topic. */
export function concerns({ sensorId, sensorIds, sender, source }: Rejection, name: string): boolean {
	return sensorId === name || sensorIds?.includes(name) || sender === name || source.split('/').includes(name);
}

/** Whether a refusal is about a sensor: by its sensor id, or, if that is unknown, by its device or a topic level. */
function isAbout({ sensorId, sensorIds, sender, source }: Rejection, sensor: string): boolean {
	if (sensorId !== undefined) return sensorId === sensor || (sensorIds?.includes(sensor) ?? false);
	return sender === sensor || source.split('/').includes(sensor);
}

function storedOf(refusal: Refusal): StoredRefusal {
	const { at, transport, source, port, sender, sensorId, code, message, path, raw, context, contentType, value } =
		refusal;
	const { parts, taken, sensorIds: strangers } = refusal;
	const masked = maskSecrets(raw);
	// A line that signs in is nothing without its token.
	const whole = (masked === raw || !SIGN_IN.test(raw.toString('latin1'))) && raw.length <= MAX_PAYLOAD_BYTES;
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
		...(strangers && { sensorIds: [...strangers] }),
		code,
		message: withoutSecrets(message),
		...(path !== undefined && { path }),
		sample: sampleOf(raw),
		bytes: raw.length,
		whole,
		...(whole && { payload: encodePayload(masked) }),
		...(whole && sender && { scope }),
		...(whole && context && { context }),
		...(contentType !== undefined && { contentType }),
		...(whole && value !== undefined && { value: masked === raw ? value : withoutSecretsIn(value) }),
		...(whole && parts && { parts }),
		...(taken !== undefined && { taken }),
	};
}

/** A decoded value without the secrets in its texts. */
function withoutSecretsIn(value: unknown): unknown {
	try {
		return JSON.parse(maskSecrets(Buffer.from(JSON.stringify(value))).toString());
	} catch {
		return undefined;
	}
}

/**
 * Serializes a refusal. A value nested deeper than the stack allows is left out, and the refusal cannot be replayed.
 */
function serialize(stored: StoredRefusal): { stored: StoredRefusal; json: string } {
	try {
		return { stored, json: JSON.stringify(stored) };
	} catch {
		const { value: _deep, payload: _payload, scope: _scope, context: _context, ...rest } = stored;
		const shown = { ...rest, whole: false };
		return { stored: shown, json: JSON.stringify(shown) };
	}
}

function isMark({ payload }: LogRecord): boolean {
	return payload.subarray(0, MARK.length).equals(MARK);
}

function storedIn(record: LogRecord): StoredRefusal | undefined {
	return isMark(record) ? undefined : (JSON.parse(record.payload.toString()) as StoredRefusal);
}

/** The refusal in a record; undefined for a mark. Records of an earlier version have no whole payload. */
export function rejectionOf(record: LogRecord): Rejection | undefined {
	const stored = storedIn(record);
	if (!stored) return undefined;
	const { port, payload, scope, context, contentType, value, parts, ...shown } = stored;
	return {
		id: record.offset,
		...shown,
		// A version before this one stored what is hidden now.
		sample: withoutSecrets(shown.sample),
		bytes: shown.bytes ?? Buffer.byteLength(shown.sample),
		whole: payload !== undefined,
	};
}
