/** Where a message came from, and of which sensors it is. */
export interface NotedSource {
	/** Topic, path or port. */
	source: string;
	domainName: string | undefined;
	/** Sensors of which it had readings. */
	sensorIds: ReadonlySet<string>;
}

const MAX_SOURCES = 500;

/** What was noted of the sources that sent last, within a bound. */
export class SourceNotes<T extends NotedSource> {
	/** By domain and source, the oldest first. */
	readonly #sources = new Map<string, T>();

	/** What was noted of the source of a message before. */
	before({ domainName, source }: NotedSource): T | undefined {
		return this.#sources.get(keyOf(domainName, source));
	}

	/** Replaces what was noted of a source. */
	set(note: T): void {
		const key = keyOf(note.domainName, note.source);
		this.#sources.delete(key);
		this.#sources.set(key, note);
		if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
	}

	/** What was noted last of a sensor in one of these domains. */
	ofSensor(sensorId: string, domains: readonly string[]): T | undefined {
		return [...this.#sources.values()].findLast(
			({ sensorIds, domainName }) =>
				sensorIds.has(sensorId) && (domainName === undefined || domains.length === 0 || domains.includes(domainName)),
		);
	}
}

const keyOf = (domainName = '', source: string) => `${domainName} ${source}`;
