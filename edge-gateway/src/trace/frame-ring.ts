import type { Transport } from '@crowdvision/contracts';
import type { Sender } from '../normalize/identify.ts';

/** What is recorded of a message. */
export interface Recordable {
	transport: Transport;
	/** Topic, path or port. */
	source: string;
	port?: string;
	contentType?: string;
	sender: Sender | undefined;
	raw: Buffer;
}

/** A message as it came in. */
export interface RecordedFrame extends Recordable {
	/** When, epoch ms. */
	at: number;
	/** No reading of it stands in the log before this offset. */
	from: number;
}

/**
 * The last frames of one way in. Their bytes are copied into one buffer, round and round, so that nothing is allocated
 * for a frame.
 */
export class FrameRing {
	readonly #bytes: Buffer;
	readonly #most: number;
	readonly #frames: (Omit<RecordedFrame, 'raw'> & { start: number; length: number })[] = [];
	/** Where the oldest frame stands once the ring is full. */
	#next = 0;
	/** Bytes written since the beginning, those left out at the end of the buffer among them. */
	#written = 0;

	constructor(most: number, bytes: number) {
		this.#most = most;
		this.#bytes = Buffer.allocUnsafe(bytes);
	}

	add({ transport, source, port, contentType, sender, raw }: Recordable, at: number, from: number): void {
		const size = this.#bytes.length;
		// What is larger than the whole ring is not kept.
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
		this.#next = (this.#next + 1) % this.#most;
	}

	/** Oldest first. */
	list(): RecordedFrame[] {
		const size = this.#bytes.length;
		const inOrder =
			this.#frames.length < this.#most
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
