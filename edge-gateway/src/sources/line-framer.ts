const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/**
 * Cuts a byte stream into lines, ended by LF or CR LF; empty ones are left out. A line longer than `limit` is thrown away up to its newline, and counted: a device that sends garbage
 * or never ends its line costs at most `limit` bytes of memory.
 */
export class LineFramer {
	readonly #limit: number;
	readonly #onLine: (line: Buffer) => void;
	readonly #onDiscard: (bytes: number) => void;
	#parts: Buffer[] = [];
	#length = 0;
	#skipping = false;
	#discarded = 0;

	constructor(limit: number, onLine: (line: Buffer) => void, onDiscard: (bytes: number) => void) {
		this.#limit = limit;
		this.#onLine = onLine;
		this.#onDiscard = onDiscard;
	}

	push(chunk: Buffer): void {
		let start = 0;
		for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
			this.#add(chunk.subarray(start, end));
			this.#finish();
			start = end + 1;
		}
		this.#add(chunk.subarray(start));
	}

	/** Forgets an unfinished line; the port was closed in the middle of it. Returns the bytes it had. */
	reset(): number {
		const length = this.#length;
		this.#parts = [];
		this.#length = 0;
		this.#skipping = false;
		this.#discarded = 0;
		return length;
	}

	#add(part: Buffer): void {
		if (part.length === 0) return;
		if (!this.#skipping && this.#length + part.length > this.#limit) {
			this.#discarded = this.#length;
			this.#parts = [];
			this.#length = 0;
			this.#skipping = true;
		}
		if (this.#skipping) this.#discarded += part.length;
		else {
			this.#parts.push(part);
			this.#length += part.length;
		}
	}

	#finish(): void {
		if (this.#skipping) {
			this.#onDiscard(this.#discarded);
			this.reset();
			return;
		}
		let line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#length);
		this.reset();
		if (line.at(-1) === CARRIAGE_RETURN) line = line.subarray(0, -1);
		if (line.length > 0) this.#onLine(line);
	}
}
