/** Keeps which keys of vendors' messages look like measures and are not read, for `why`. */
import type { UnknownField } from '../decode/message/unknown-field.ts';

/** A message with such keys. */
export interface UnknownMessage {
	/** When it was received, epoch ms. */
	at: number;
	/** Topic, path or port. */
	source: string;
	domainName: string | undefined;
	/** Sensors of which it had readings all the same. */
	sensorIds: ReadonlySet<string>;
	fields: readonly UnknownField[];
	/** The part of gateway.yaml by which these keys would be read. */
	propose: (fields: readonly UnknownField[]) => string;
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

const MAX_SOURCES = 500;
const MAX_FIELDS = 32;

/** The keys that no rule reads, of the sources that sent last. */
export class UnknownFields {
	/** By domain and source, the oldest first. */
	readonly #sources = new Map<string, Source>();

	/** Notes a message. Returns what to tell of its source, to be called when somebody asks. */
	note(message: UnknownMessage): () => UnknownReport {
		const key = `${message.domainName ?? ''} ${message.source}`;
		const before = this.#sources.get(key);
		const fields = new Map(before?.fields);
		for (const field of message.fields)
			if (fields.has(field.key) || fields.size < MAX_FIELDS) fields.set(field.key, field);
		const source: Source = { ...message, fields, messages: (before?.messages ?? 0) + 1 };
		this.#sources.delete(key);
		this.#sources.set(key, source);
		if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
		return () => reportOf(source);
	}

	/** What messages of a sensor in one of these domains held beside the readings that were read. */
	ofSensor(sensorId: string, domains: readonly string[]): UnknownReport | undefined {
		const source = [...this.#sources.values()].findLast(
			({ sensorIds, domainName }) =>
				sensorIds.has(sensorId) && (domainName === undefined || domains.length === 0 || domains.includes(domainName)),
		);
		return source && reportOf(source);
	}
}

function reportOf({ fields, source, messages, propose }: Source): UnknownReport {
	const list = [...fields.values()].map(({ key, sample, unit }) => `${key} (${sample}${unit ? ` ${unit}` : ''})`);
	const count = messages === 1 ? 'one message' : `${messages} messages`;
	const raw = fields.has('frm_payload') || fields.has('data');
	return {
		text: raw
			? `${count} of ${source} hold bytes that the network server has not decoded`
			: `${count} of ${source} hold what looks like a measure under keys that no rule reads: ${list.join(', ')}`,
		todo: raw
			? `Have the network server decode it, or give the rule the vendor's codec:\n${propose([...fields.values()])}`
			: 'To read it, change gateway.yaml: add these metrics to those there are, and put this rule in place of the ' +
				`one there is; leave out what you do not need, and check units and ranges:\n${propose([...fields.values()])}`,
	};
}
