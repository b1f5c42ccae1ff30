/** Keeps which keys of vendors' messages look like measures and are not read, for `why`. */
import type { UnknownField } from '../decode/message/unknown-field.ts';
import { type NotedSource, SourceNotes } from './source-notes.ts';

/** A message with such keys. */
export interface UnknownMessage extends NotedSource {
	fields: readonly UnknownField[];
	/** The part of gateway.yaml by which these keys would be read. */
	propose: (fields: readonly UnknownField[]) => string;
	/** What to do with that; default: put the rule in place of the one there is. */
	advice?: string;
}

/** What is told of a sensor or source. */
export interface UnknownReport {
	text: string;
	/** What to do, with text to paste into gateway.yaml. */
	todo: string;
}

/** The same of all messages of a source. */
interface Source extends Omit<UnknownMessage, 'fields'> {
	/** By key, with the newest sample. */
	fields: Map<string, UnknownField>;
	messages: number;
}

const MAX_FIELDS = 32;

/** The keys that no rule reads, of the sources that sent last. */
export class UnknownFields {
	readonly #notes = new SourceNotes<Source>();

	/** Notes a message. Returns what to tell of its source, to be called when somebody asks. */
	note(message: UnknownMessage): () => UnknownReport {
		const before = this.#notes.before(message);
		const fields = new Map(before?.fields);
		for (const field of message.fields)
			if (fields.has(field.key) || fields.size < MAX_FIELDS) fields.set(field.key, field);
		const source: Source = { ...message, fields, messages: (before?.messages ?? 0) + 1 };
		this.#notes.set(source);
		return () => reportOf(source);
	}

	/** What messages of a sensor in one of these domains held beside the readings that were read. */
	ofSensor(sensorId: string, domains: readonly string[]): UnknownReport | undefined {
		const source = this.#notes.ofSensor(sensorId, domains);
		return source && reportOf(source);
	}
}

const ADVICE =
	'To read it, change gateway.yaml: add these metrics to those there are, and put this rule in place of the one ' +
	'there is; leave out what you do not need, and check units and ranges:';

function reportOf({ fields, source, messages, propose, advice = ADVICE }: Source): UnknownReport {
	const list = [...fields.values()].map(({ key, sample, unit }) => `${key} (${sample}${unit ? ` ${unit}` : ''})`);
	const count = messages === 1 ? 'one message' : `${messages} messages`;
	const raw = [...fields.values()].some(({ kind }) => kind === 'bytes');
	return {
		text: raw
			? `${count} of ${source} hold bytes that the network server has not decoded`
			: `${count} of ${source} hold what looks like a measure under keys that no rule reads: ${list.join(', ')}`,
		todo: raw
			? `Have the network server decode it, or give the rule the vendor's codec:\n${propose([...fields.values()])}`
			: `${advice}\n${propose([...fields.values()])}`,
	};
}
