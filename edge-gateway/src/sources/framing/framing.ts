/** What was thrown away: the beginning of it, how many bytes it had, and why, for a person. */
export interface Discarded {
	sample: Buffer;
	bytes: number;
	reason: string;
}

/** Told of each frame as it is complete, and of each stretch of bytes that is none. */
export interface FrameListener {
	frame(bytes: Buffer): void;
	discarded(discarded: Discarded): void;
}

/** How the bytes of a serial line become values. One for each opening of a port. */
export interface Framing {
	/** Takes what was read, in whatever pieces. */
	push(chunk: Buffer): void;
	/** Nothing more will come: what is not complete is discarded. */
	end(): void;
	/** What the device said in words rather than sent as a reading, such as HELLO; undefined for everything else. */
	said(frame: Buffer): string | undefined;
	/**
	 * The value a frame stands for; undefined where it only says how the next are to be read.
	 * @throws CrowdVisionError `not_json` for what is none
	 */
	decode(frame: Buffer): unknown;
	/**
	 * Of a frame that could not be decoded, the part that is a whole frame all the same. What stands before it is lost.
	 */
	salvage?(frame: Buffer): Buffer | undefined;
}
