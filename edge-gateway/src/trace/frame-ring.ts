/** A ring buffer of the last frames of one transport or port. */
import type { Transport } from '@crowdvision/contracts';
import type { Sender } from '../normalize/identify.ts';

/** The parts of a message that are recorded. */
export interface Recordable {
	transport: Transport;
	/** Topic, path or port. */
	source: string;
	port?: string;
	contentType?: string;
	sender: Sender | undefined;
	raw: Buffer;
}

/** A recorded message. */
export interface RecordedFrame extends Recordable {
	/** When it was received, epoch ms. */
	at: number;
	/** No reading of the message is in the log before this offset. */
	from: number;
}

/**
 * The last frames of one transport or port. Their bytes are copied into one ring buffer, so that recording a frame
 * allocates nothing.
 */
export class FrameRing {
	readonly #bytes: Buffer;
	readonly #maxFrames: number;
	readonly #frames: (Omit<RecordedFrame, 'raw'> & { start: number; length: number })[] = [];
	/** Index of the oldest frame once the ring is full. */
	#next = 0;
	/** Bytes written since the start, including those skipped at the end of the buffer. */
	#written = 0;

	constructor(maxFrames: number, bytes: number) {
		this.#maxFrames = maxFrames;
		this.#bytes = Buffer.allocUnsafe(bytes);
	}

	/** Records a frame. `at` is in epoch ms; `from` is an offset of the log, as in `RecordedFrame`. */
	add({ transport, source, port, contentType, sender, raw }: Recordable, at: number, from: number): void {
		const size = this.#bytes.length;
		// A frame larger than the ring is not recorded.
		if (raw.length > size) return;
		let position = this.#written % size;
		if (position + raw.length > size) {
			this.#written += size - position;
			position = 0;
		}
		raw.copy(this.#bytes, position);
		const start = this.#written;
		this.#written += raw.length;
		const length = raw.length;
		const slot = this.#frames[this.#next];
		if (slot) {
			slot.transport = transport;
			slot.source = source;
			slot.sender = sender;
			slot.at = at;
			slot.from = from;
			slot.start = start;
			slot.length = length;
			if (port !== undefined || slot.port !== undefined) slot.port = port!;
			if (contentType !== undefined || slot.contentType !== undefined) slot.contentType = contentType!;
		} else {
			this.#frames.push({
				transport,
				source,
				sender,
				at,
				from,
				start,
				length,
				...(port !== undefined && { port }),
				...(contentType !== undefined && { contentType }),
			});
		}
		this.#next = (this.#next + 1) % this.#maxFrames;
	}

	/** The frames that are still complete, oldest first. */
	list(): RecordedFrame[] {
		const size = this.#bytes.length;
		const inOrder =
			this.#frames.length < this.#maxFrames
				? this.#frames
				: [...this.#frames.slice(this.#next), ...this.#frames.slice(0, this.#next)];
		return inOrder
			.filter(({ start }) => this.#written - start <= size)
			.map(({ start, length, port, contentType, ...frame }) => ({
				...frame,
				...(port !== undefined && { port }),
				...(contentType !== undefined && { contentType }),
				raw: Buffer.from(this.#bytes.subarray(start % size, (start % size) + length)),
			}));
	}
}
