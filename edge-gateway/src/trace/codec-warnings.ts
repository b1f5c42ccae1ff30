/** Keeps and counts what vendors' codecs warn of beside the readings, for `why` and metrics. */
import { type NotedSource, SourceNotes } from './source-notes.ts';

/** Warnings of a codec on one message: `warnings` of LoRaWAN's TS013. */
export interface WarnedMessage extends NotedSource {
	/** The decoder rule, as the ledger names it. */
	rule: string;
	warnings: readonly string[];
}

/** The warnings of all messages of a source: how often each came. */
interface Source extends Omit<WarnedMessage, 'warnings'> {
	times: Map<string, number>;
}

const MAX_WARNINGS = 10;
/** Rules beyond this are counted together. */
const MAX_RULES = 200;
const OTHERS = 'others';
const TODO =
	'Look up the warning in what the vendor says of the codec: often it is an empty battery, a sensor that is not ' +
	'plugged in, or a firmware that is newer than the codec.';

/** The warnings of codecs, of the sources that sent last. */
export class CodecWarnings {
	readonly #notes = new SourceNotes<Source>();
	/** By rule, since the start. */
	readonly #counts = new Map<string, number>();

	note({ warnings, ...message }: WarnedMessage): void {
		const times = new Map(this.#notes.before(message)?.times);
		for (const warning of warnings)
			if (times.has(warning) || times.size < MAX_WARNINGS) times.set(warning, (times.get(warning) ?? 0) + 1);
		this.#notes.set({ ...message, times });
		const isNamed = this.#counts.has(message.rule) || this.#counts.size < MAX_RULES;
		const rule = isNamed ? message.rule : OTHERS;
		this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + warnings.length);
	}

	/** What codecs warned of in messages of a sensor in one of these domains. */
	ofSensor(sensorId: string, domains: readonly string[]): { text: string; todo: string } | undefined {
		const source = this.#notes.ofSensor(sensorId, domains);
		if (!source) return undefined;
		const list = [...source.times].map(([text, times]) => (times === 1 ? `"${text}"` : `"${text}" (${times} times)`));
		return { text: `its codec warns: ${list.join(', ')}`, todo: TODO };
	}

	/** Warnings since the start, by rule. */
	counts(): ReadonlyMap<string, number> {
		return this.#counts;
	}
}
