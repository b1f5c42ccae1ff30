/** The port of a framing, which cuts the bytes of a serial line into frames. */

/** A stretch of bytes that was thrown away because it is no frame. */
export interface Discarded {
	/** The first bytes of it. */
	sample: Buffer;
	/** Its whole length. */
	bytes: number;
	/** Why, for a person. */
	reason: string;
}

/** Called with each complete frame and each discarded stretch of bytes, in the order of the bytes. */
export interface FrameListener {
	frame(bytes: Buffer): void;
	discarded(discarded: Discarded): void;
}

/** Cuts the bytes of a serial line into frames and decodes them. Stateful: each opening of a port gets a new one. */
export interface Framing {
	/** Takes the next bytes; chunks may end anywhere. */
	push(chunk: Buffer): void;
	/** Ends the stream: an incomplete frame is discarded. */
	end(): void;
	/** The text of a frame that is a message rather than a reading, such as HELLO; undefined for all other frames. */
	textOf(frame: Buffer): string | undefined;
	/**
	 * The value a frame encodes; undefined for a frame that carries no value, such as the header of a CSV table.
	 * @throws CrowdVisionError `not_json` when the frame cannot be decoded
	 */
	decode(frame: Buffer): unknown;
	/** Whether an undecodable frame is a line of the device's own log, which shares the port with its readings. */
	isChatter?(frame: Buffer): boolean;
	/** The tail of an undecodable frame that is a complete frame by itself. What stands before it is lost. */
	salvage?(frame: Buffer): Buffer | undefined;
}
