/** Sends rejected messages through the intake once more. */
import { CrowdVisionError, type Rejection, type Replayed } from '@crowdvision/contracts';
import type { Decoders } from '../../decode/decoders.ts';
import { type Deliver, type Frame, NDJSON_TYPE } from '../../frame.ts';
import type { Rejected, RejectedQuery, ReplayableRefusal } from '../../rejected/rejected.ts';
import { publicationOf } from '../mqtt/broker/topics.ts';
import { JSON_TYPE, parseNdjson } from '../ndjson.ts';

const MAX_REPLAYED_AT_ONCE = 500;
const NO_CONTEXT = {};
/** The source of a message that came by a way in of its own. */
const HTTP_PATH = /^POST \/ingest\/([^?/]+)/;

/**
 * Delivers rejected messages again, once their cause is mended: as if from their sender, with the time at which they
 * were received first.
 */
export class Replay {
	readonly #rejected: Rejected;
	readonly #deliver: Deliver;
	readonly #decoders: Decoders;
	/** Replays run one at a time, so that the second of two for the same message finds it marked. */
	#running: Promise<unknown> = Promise.resolve();

	constructor(parts: { rejected: Rejected; decoders: Decoders; deliver: Deliver }) {
		this.#rejected = parts.rejected;
		this.#deliver = parts.deliver;
		this.#decoders = parts.decoders;
	}

	/**
	 * Replays the named messages, or up to 500 open ones that match a filter, in the order of their receipt. Messages
	 * that are not `visible` to the caller are treated as if they did not exist.
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
		const missing = 'ids' in wanted ? wanted.ids.filter((id) => !ids.includes(id)) : [];
		return [...results, ...missing.map((id): Replayed => ({ id, outcome: 'not_kept' }))];
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
			MAX_REPLAYED_AT_ONCE,
			(rejection) => rejection.whole && visible(rejection),
		);
		return open.map(({ id }) => id);
	}

	async #one(id: number): Promise<Replayed> {
		if (this.#rejected.isReplayed(id)) return { id, outcome: 'already' };
		const refusal = await this.#rejected.load(id);
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
 * The frame that the source of a rejected message would deliver today: the meaning of its topic or content type is
 * looked up again.
 * @throws CrowdVisionError when the message still cannot be delivered
 */
export function frameOf(
	refusal: Omit<ReplayableRefusal, 'id' | 'code' | 'message'>,
	decoders: Pick<Decoders, 'forTopic' | 'forContentType' | 'forPath'>,
): Frame {
	const { transport, source, port, sender, raw, contentType, value, parts } = refusal;
	if (!sender) throw new CrowdVisionError('unauthenticated', 'The sender of this message is not known');
	const frame: Frame = { transport, source, sender, raw, context: refusal.context ?? NO_CONTEXT };
	if (port !== undefined) frame.port = port;
	if (parts) Object.assign(frame, { partial: true, parts: new Set(parts) });
	if (contentType !== undefined) frame.contentType = contentType;
	if (value !== undefined) frame.parsed = value;
	const [, path] = transport === 'http' ? (HTTP_PATH.exec(source) ?? []) : [];
	if (path !== undefined) return { ...frame, decodeBy: ruleOfPath(decoders, path) };
	// A request whose type was not stored came as JSON; since then a rule for JSON may have been added.
	const type = contentType ?? (transport === 'http' ? JSON_TYPE : undefined);
	if (type !== undefined) frame.decodeBy = decoders.forContentType(type);
	if (contentType === NDJSON_TYPE && !frame.decodeBy) frame.parsed = parseNdjson(raw, frame.partial);
	if (transport !== 'mqtt') return frame;
	const publication = publicationOf(source, decoders.forTopic(source));
	if (publication.kind !== 'telemetry')
		throw new CrowdVisionError('bad_request', `The topic ${source} still has no meaning for readings`);
	return { ...frame, context: publication.context, decodeBy: publication.decodeBy };
}

/**
 * @throws CrowdVisionError when no rule has this path any more: read as the gateway's own format it would mean nothing
 */
function ruleOfPath(decoders: Pick<Decoders, 'forPath'>, path: string): Frame['decodeBy'] {
	const decodeBy = decoders.forPath(path);
	if (!decodeBy) throw new CrowdVisionError('bad_request', `No rule of decoders has the path ${path} any more`);
	return decodeBy;
}
