/** Opens the decoders of the configured rules, finds the one for a message, and fills in what its rule names. */
import { BUILT_IN_METRICS, type MetricLookup } from '@crowdvision/contracts';
import { matchesFilter } from '../topics/topic-filter.ts';
import { CodecRunner } from './codec/codec-runner.ts';
import { tryCodecs } from './codec/try-codecs.ts';
import { type LoadedRule, ruleName } from './decoder-config.ts';
import { CONTENT_TYPES, FORMATS, type FormatName } from './format-table.ts';
import { SensorsBehindGateways } from './formats/lorawan-presence.ts';
import type { Publish } from './formats/sparkplug.ts';
import type { Candidate } from './message/candidate.ts';
import type { Decoder } from './message/decoder.ts';
import { type Named, tellsOf } from './message/presence.ts';
import { isSideTopic, sideFilters } from './side-topics.ts';
import { Vocabulary } from './vendor/vocabulary.ts';

/** A rule of the configuration with its open decoder. */
export interface ActiveRule {
	/** The topic filter or content type, as the ledger names the rule. */
	name: string;
	use: FormatName;
	decoder: Decoder;
	/** As configured, without the text of its codec. */
	config: LoadedRule;
	defaults: { buildingId?: string; roomId?: string; sensorId?: string };
	/** IANA name of the zone of times without an offset; undefined: UTC. */
	timeZone?: string | undefined;
}

/** The rule that decodes a frame. */
export interface DecodeBy {
	rule: ActiveRule;
	/** See `Message.name`. */
	name: string | undefined;
	/** Whose coming and going the messages of this topic tell of, if they do. */
	tellsOf?: Named;
	/**
	 * The product says other things than readings on this topic: `within` the topics that the rule reads, or `beside`
	 * them, where nothing is taken.
	 */
	side?: 'within' | 'beside';
}

const NO_DEFAULTS = {};
/** First topic levels that a wildcard does not match: the gateway defines their meaning. */
const RESERVED_LEVELS = new Set(['telemetry', 'status', 'command', 'bridge']);

/** Opens the decoders of the configured rules and finds the one for a topic or a content type. */
export class Decoders {
	readonly #publish: Publish;
	readonly #metrics: MetricLookup;
	readonly #behind = new SensorsBehindGateways();
	readonly #codecs = new CodecRunner();
	/** Keyed by the rule as JSON, so that a rule that stays keeps the state of its decoder. */
	#open = new Map<string, ActiveRule>();
	#byTopic: { filter: string; rule: ActiveRule; side: string[] }[] = [];
	#byContentType = new Map<string, ActiveRule>();
	#byPath = new Map<string, ActiveRule>();
	#generation = 0;

	constructor(rules: readonly LoadedRule[], publish: Publish, metrics: MetricLookup = BUILT_IN_METRICS) {
		this.#publish = publish;
		this.#metrics = metrics;
		this.#use(rules);
	}

	/** Rises with each `update`: matches found earlier may be out of date. */
	get generation(): number {
		return this.#generation;
	}

	/**
	 * Replaces the rules. Resolves when the decoders that are no longer used are closed.
	 * @throws SettingsError, with nothing changed, if a new codec does not load
	 */
	async update(rules: readonly LoadedRule[]): Promise<void> {
		const before = this.#open;
		const added = rules.filter((rule) => !before.has(JSON.stringify(rule)));
		await tryCodecs(
			added.flatMap(({ codecFile }) => codecFile ?? []),
			this.#codecs,
		);
		this.#use(rules);
		this.#generation++;
		await Promise.all([...before].filter(([key]) => !this.#open.has(key)).map(([, { decoder }]) => decoder.close?.()));
	}

	/**
	 * The first rule whose filter matches, or undefined. A topic that tells of a device's coming and going belongs to the
	 * rule for that device's readings: `tele/porch/LWT` to `tele/+/SENSOR`; and so does a topic on which its product says
	 * other things, such as `tele/porch/STATE`.
	 */
	forTopic(topic: string): DecodeBy | undefined {
		const [first] = topic.split('/', 1) as [string];
		const about = tellsOf(topic);
		for (const { filter, rule, side } of this.#byTopic) {
			const matches = matchesFilter(filter, topic);
			if (!matches && !(about?.kind === 'topic' && reachesBelow(filter, about.topic))) continue;
			if (RESERVED_LEVELS.has(first) && filter.split('/', 1)[0] !== first) continue;
			const isSide = about !== undefined || (filter.endsWith('#') && isSideTopic(side, topic));
			return {
				rule,
				name: matches ? nameIn(filter, topic) : undefined,
				...(about && { tellsOf: about }),
				...(isSide && { side: matches ? 'within' : 'beside' }),
			};
		}
		if (RESERVED_LEVELS.has(first)) return undefined;
		const beside = this.#byTopic.find(({ side }) => isSideTopic(side, topic));
		return beside && { rule: beside.rule, name: undefined, side: 'beside' };
	}

	/** The rule of a content type, which must be in lower case. */
	forContentType(type: string): DecodeBy | undefined {
		const rule = this.#byContentType.get(type);
		return rule && { rule, name: undefined };
	}

	/** The rule of the way in `POST /ingest/{path}`. */
	forPath(path: string): DecodeBy | undefined {
		const rule = this.#byPath.get(path);
		return rule && { rule, name: undefined };
	}

	/** The names of the ways in that rules open. */
	paths(): string[] {
		return [...this.#byPath.keys()].toSorted();
	}

	contentTypes(): string[] {
		return [...this.#byContentType.keys()];
	}

	/** Whether a topic rule uses this format. */
	uses(format: FormatName): boolean {
		return this.#byTopic.some(({ rule }) => rule.use === format);
	}

	async close(): Promise<void> {
		await this.update([]);
		await this.#codecs.close();
	}

	#use(rules: readonly LoadedRule[]): void {
		const open = new Map<string, ActiveRule>();
		const get = (rule: LoadedRule): ActiveRule => {
			const key = JSON.stringify(rule);
			const opened = open.get(key) ?? this.#open.get(key) ?? this.#activate(rule);
			open.set(key, opened);
			return opened;
		};
		this.#byTopic = rules.flatMap((rule) =>
			rule.topic === undefined
				? []
				: [{ filter: rule.topic, rule: get(rule), side: sideFilters(rule.use, rule.topic) }],
		);
		const contentTypes = Object.entries(CONTENT_TYPES).map(([contentType, use]): LoadedRule => ({ contentType, use }));
		this.#byContentType = new Map();
		for (const rule of [...rules, ...contentTypes]) {
			if (rule.contentType !== undefined && !this.#byContentType.has(rule.contentType))
				this.#byContentType.set(rule.contentType, get(rule));
		}
		this.#byPath = new Map(
			// The first rule of a path counts.
			rules.toReversed().flatMap((rule) => (rule.path === undefined ? [] : [[rule.path, get(rule)] as const])),
		);
		this.#open = open;
	}

	#activate(loaded: LoadedRule): ActiveRule {
		const { use, mapping = '', rename, defaults = NO_DEFAULTS, timeZone } = loaded;
		const { codecFile, fPort = 1, variables = {} } = loaded;
		const codec = codecFile && { codec: codecFile, fPort, variables };
		const vocabulary = new Vocabulary({ rename, metrics: this.#metrics });
		return {
			name: ruleName(loaded),
			use,
			config: withoutText(loaded),
			decoder: FORMATS[use].open({
				mapping,
				publish: this.#publish,
				vocabulary,
				behind: this.#behind,
				codec,
				runner: this.#codecs,
			}),
			defaults,
			timeZone,
		};
	}
}

/** Whether a filter matches this topic or one below it. */
function reachesBelow(filter: string, topic: string): boolean {
	const wanted = filter.split('/');
	const levels = topic.split('/');
	if (wanted.includes('#') || wanted.length <= levels.length) return matchesFilter(filter, topic);
	return matchesFilter(wanted.slice(0, levels.length).join('/'), topic);
}

function withoutText({ codecFile: _text, ...rule }: LoadedRule): LoadedRule {
	return rule;
}

/** The levels of a topic that the wildcards of `filter` match, joined by `/`; undefined if it has no wildcard. */
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
 * Fills what the candidate does not name: the sensor from the rule, else the sender's only sensor; the place from the
 * rule, unless the sensor is registered, as a registered sensor stays in its room.
 */
export function withDefaults(
	candidate: Candidate,
	{ buildingId, roomId, sensorId }: ActiveRule['defaults'],
	onlySensorId: string | undefined,
	isRegistered: (sensorId: string) => boolean,
): Candidate {
	const sensor = candidate.sensorId ?? sensorId ?? onlySensorId;
	const keepsPlace =
		(buildingId === undefined && roomId === undefined) || (typeof sensor === 'string' && isRegistered(sensor));
	const whole = { ...candidate };
	if (sensor !== undefined) whole.sensorId = sensor;
	if (keepsPlace) return whole;
	if ((whole.buildingId ?? undefined) === undefined && buildingId !== undefined) whole.buildingId = buildingId;
	if ((whole.roomId ?? undefined) === undefined && roomId !== undefined) whole.roomId = roomId;
	return whole;
}
