import { CrowdVisionError, type ErrorCode } from '@crowdvision/contracts';
import type { Decoders } from '../../decode/decoders.ts';
import type { Deliver, Frame } from '../../frame.ts';
import type { Rejected, RejectedQuery, Rejection, WholeRejection } from '../../rejected/rejected.ts';
import { NDJSON_TYPE, parseLines } from '../http.ts';
import { publicationOf } from '../mqtt/broker/topics.ts';

/** What became of one refusal that was to be taken in again. */
export interface Replayed {
	id: number;
	/**
	 * `accepted`: its readings are durable now. `refused`: for the reason given, as it stands. `already`: it was accepted
	 * by an earlier replay.
	 * `deferred`: it cannot be taken for now; come again. `not_kept`: not all of its bytes are held, or it is not held at
	 * all.
	 */
	outcome: 'accepted' | 'refused' | 'already' | 'deferred' | 'not_kept';
	accepted?: number;
	code?: ErrorCode;
	message?: string;
}

const MOST_AT_ONCE = 500;
const NO_CONTEXT = {};

/**
 * Takes refused messages in again, after what they were refused for was mended: as from their sender, and at the time
 * they came in.
 */
export class Replay {
	readonly #rejected: Rejected;
	readonly #deliver: Deliver;
	readonly #decoders: Decoders;
	/** One replay at a time: of two of the same message the second finds it marked. */
	#running: Promise<unknown> = Promise.resolve();

	constructor(parts: { rejected: Rejected; decoders: Decoders; deliver: Deliver }) {
		this.#rejected = parts.rejected;
		this.#deliver = parts.deliver;
		this.#decoders = parts.decoders;
	}

	/**
	 * Those that are named, or those open ones that match, at most 500; in the order they came in. Others than `visible`
	 * ones do not exist.
	 */
	replay(
		wanted: { ids: readonly number[] } | { filter: RejectedQuery },
		visible: (rejection: Rejection) => boolean,
	): Promise<Replayed[]> {
		const replayed = this.#running.then(() => this.#replay(wanted, visible));
		this.#running = replayed.catch(() => undefined);
		return replayed;
	}

	async #replay(
		wanted: { ids: readonly number[] } | { filter: RejectedQuery },
		visible: (rejection: Rejection) => boolean,
	): Promise<Replayed[]> {
		const ids =
			'ids' in wanted ? await this.#visibleIds(wanted.ids, visible) : await this.#matching(wanted.filter, visible);
		const results: Replayed[] = [];
		for (const id of ids.sort((a, b) => a - b)) results.push(await this.#one(id));
		const unseen = 'ids' in wanted ? wanted.ids.filter((id) => !ids.includes(id)) : [];
		return [...results, ...unseen.map((id): Replayed => ({ id, outcome: 'not_kept' }))];
	}

	async #visibleIds(ids: readonly number[], visible: (rejection: Rejection) => boolean): Promise<number[]> {
		const found: number[] = [];
		for (const id of new Set(ids)) {
			const [rejection] = await this.#rejected.list({ before: id + 1 }, 1, () => true);
			if (rejection?.id === id && visible(rejection)) found.push(id);
		}
		return found;
	}

	async #matching(filter: RejectedQuery, visible: (rejection: Rejection) => boolean): Promise<number[]> {
		const open = await this.#rejected.list(
			{ ...filter, state: 'open' },
			MOST_AT_ONCE,
			(rejection) => rejection.whole && visible(rejection),
		);
		return open.map(({ id }) => id);
	}

	async #one(id: number): Promise<Replayed> {
		if (this.#rejected.isReplayed(id)) return { id, outcome: 'already' };
		const refusal = await this.#rejected.whole(id);
		if (!refusal) return { id, outcome: 'not_kept' };
		try {
			const accepted = await this.#deliver({
				...frameOf(refusal, this.#decoders),
				receivedAt: refusal.at,
				replayOf: id,
			});
			await this.#rejected.markReplayed(id, Date.now(), accepted);
			return { id, outcome: 'accepted', accepted };
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) throw error;
			return { id, outcome: error.status < 500 ? 'refused' : 'deferred', code: error.code, message: error.message };
		}
	}
}

/**
 * A message that was kept as its source would hand it over today: what its topic or content type means is looked up
 * again. @throws CrowdVisionError
 */
export function frameOf(
	refusal: Omit<WholeRejection, 'id' | 'code' | 'message'>,
	decoders: Pick<Decoders, 'forTopic' | 'forContentType'>,
): Frame {
	const { transport, source, port, sender, raw, contentType, value } = refusal;
	if (!sender) throw new CrowdVisionError('unauthenticated', 'It is not known who sent it');
	const frame: Frame = { transport, source, sender, raw, context: refusal.context ?? NO_CONTEXT };
	if (port !== undefined) frame.port = port;
	if (contentType !== undefined) frame.contentType = contentType;
	if (value !== undefined) frame.parsed = value;
	if (contentType !== undefined) frame.decodeBy = decoders.forContentType(contentType);
	if (contentType === NDJSON_TYPE && !frame.decodeBy) frame.parsed = parseLines(raw);
	if (transport !== 'mqtt') return frame;
	const publication = publicationOf(source, decoders.forTopic(source));
	if (publication.kind !== 'telemetry')
		throw new CrowdVisionError('bad_request', `The topic ${source} is still none that readings come by`);
	return { ...frame, context: publication.context, decodeBy: publication.decodeBy };
}
