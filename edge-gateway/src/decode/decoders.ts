import { matchesFilter } from '../topics/topic-filter.ts';
import type { DecoderRule } from './decoder-config.ts';
import type { Publish } from './formats/sparkplug.ts';
import type { Candidate } from './message/candidate.ts';
import type { Decoder } from './message/decoder.ts';
import { CONTENT_TYPES, FORMATS, type FormatName } from './registry.ts';

/** A rule of the configuration at work. */
export interface OpenRule {
	/** Its topic filter or content type, for the ledger. */
	name: string;
	use: FormatName;
	decoder: Decoder;
	defaults: { buildingId?: string; roomId?: string; sensorId?: string };
}

/** How one frame is to be decoded. */
export interface DecodeBy {
	rule: OpenRule;
	/** See Message.name. */
	name: string | undefined;
}

const NO_DEFAULTS = {};
/** First levels that a wildcard does not stand for: what they mean is laid down. */
const OURS = new Set(['telemetry', 'status', 'command', 'bridge']);

/** The decoders in use, and which message is for which. */
export class Decoders {
	readonly #publish: Publish;
	/** By the rule as text, so that one that stays keeps what its decoder has learnt. */
	#open = new Map<string, OpenRule>();
	#byTopic: { filter: string; rule: OpenRule }[] = [];
	#byContentType = new Map<string, OpenRule>();
	#generation = 0;

	constructor(rules: readonly DecoderRule[], publish: Publish) {
		this.#publish = publish;
		this.#use(rules);
	}

	/** Rises with each `update`: what was found before it may be found otherwise. */
	get generation(): number {
		return this.#generation;
	}

	/** Goes on with other rules. Resolves when the decoders that are not needed any more have let go. */
	async update(rules: readonly DecoderRule[]): Promise<void> {
		const before = this.#open;
		this.#use(rules);
		this.#generation++;
		await Promise.all([...before].filter(([key]) => !this.#open.has(key)).map(([, { decoder }]) => decoder.close?.()));
	}

	/** The first rule whose filter matches; undefined where there is none. */
	forTopic(topic: string): DecodeBy | undefined {
		const [first] = topic.split('/', 1) as [string];
		for (const { filter, rule } of this.#byTopic) {
			if (!matchesFilter(filter, topic)) continue;
			if (OURS.has(first) && filter.split('/', 1)[0] !== first) continue;
			return { rule, name: nameIn(filter, topic) };
		}
		return undefined;
	}

	/** The rule of a content type in small letters. */
	forContentType(type: string): DecodeBy | undefined {
		const rule = this.#byContentType.get(type);
		return rule && { rule, name: undefined };
	}

	contentTypes(): string[] {
		return [...this.#byContentType.keys()];
	}

	/** Whether topics of this format are decoded here, by whatever rule. */
	uses(format: FormatName): boolean {
		return this.#byTopic.some(({ rule }) => rule.use === format);
	}

	async close(): Promise<void> {
		await this.update([]);
	}

	#use(rules: readonly DecoderRule[]): void {
		const open = new Map<string, OpenRule>();
		const get = (rule: DecoderRule): OpenRule => {
			const key = JSON.stringify(rule);
			const opened = open.get(key) ?? this.#open.get(key) ?? this.#opened(rule);
			open.set(key, opened);
			return opened;
		};
		this.#byTopic = rules.flatMap((rule) =>
			rule.topic === undefined ? [] : [{ filter: rule.topic, rule: get(rule) }],
		);
		const contentTypes = Object.entries(CONTENT_TYPES).map(([contentType, use]): DecoderRule => ({ contentType, use }));
		this.#byContentType = new Map();
		for (const rule of [...rules, ...contentTypes]) {
			if (rule.contentType !== undefined && !this.#byContentType.has(rule.contentType))
				this.#byContentType.set(rule.contentType, get(rule));
		}
		this.#open = open;
	}

	#opened({ topic, contentType, use, mapping = '', defaults = NO_DEFAULTS }: DecoderRule): OpenRule {
		return {
			name: topic ?? contentType ?? use,
			use,
			decoder: FORMATS[use].open({ mapping, publish: this.#publish }),
			defaults,
		};
	}
}

/** What the wildcards of a filter stand for in a topic that matches it, joined by `/`. */
function nameIn(filter: string, topic: string): string | undefined {
	const levels = topic.split('/');
	const name: string[] = [];
	let wild = false;
	for (const [i, level] of filter.split('/').entries()) {
		if (level !== '+' && level !== '#') continue;
		wild = true;
		name.push(...(level === '#' ? levels.slice(i) : [levels[i]!]));
	}
	return wild ? name.join('/') : undefined;
}

/**
 * A candidate with what its rule and its sender say where it says nothing. A sensor that is registered stays where it
 * is.
 */
export function completed(
	candidate: Candidate,
	{ buildingId, roomId, sensorId }: OpenRule['defaults'],
	onlySensorId: string | undefined,
	isRegistered: (sensorId: string) => boolean,
): Candidate {
	const sensor = candidate.sensorId ?? sensorId ?? onlySensorId;
	const placed =
		buildingId === undefined && roomId === undefined ? true : typeof sensor === 'string' && isRegistered(sensor);
	const whole = { ...candidate };
	if (sensor !== undefined) whole.sensorId = sensor;
	if (placed) return whole;
	if (whole.buildingId === undefined && buildingId !== undefined) whole.buildingId = buildingId;
	if (whole.roomId === undefined && roomId !== undefined) whole.roomId = roomId;
	return whole;
}
