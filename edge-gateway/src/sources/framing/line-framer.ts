import { BoundedFrame } from './bounded-frame.ts';
import type { FrameListener } from './framing.ts';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/**
 * Cuts a byte stream into lines that end in LF or CR LF, and skips empty ones. A line longer than `limit` bytes is
 * discarded up to its newline: a device that sends garbage or never ends its line costs at most `limit` bytes of
 * memory.
 */
export class LineFramer {
	readonly #listener: FrameListener;
	readonly #line: BoundedFrame;

	constructor(limit: number, listener: FrameListener) {
		this.#line = new BoundedFrame(limit);
		this.#listener = listener;
	}

	/** Bytes held in memory for the line that has not ended yet. */
	get held(): number {
		return this.#line.held;
	}

	push(chunk: Buffer): void {
		let start = 0;
		for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
			this.#line.add(chunk.subarray(start, end));
			this.#finish();
			start = end + 1;
		}
		this.#line.add(chunk.subarray(start));
	}

	/** Ends the stream: an incomplete line is discarded. */
	end(): void {
		if (this.#line.length === 0) return;
		const line = this.#line.finish();
		if (!Buffer.isBuffer(line)) return void this.#listener.discarded(line);
		const bytes = line.length;
		this.#listener.discarded({
			sample: line,
			bytes,
			reason: `the port closed in the middle of a line of ${bytes} bytes`,
		});
	}

	#finish(): void {
		const line = this.#line.finish();
		if (!Buffer.isBuffer(line)) return void this.#listener.discarded(line);
		const text = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
		if (text.length > 0) this.#listener.frame(text);
	}
}
