import type { Transport } from '@crowdvision/contracts';
import type { DecodeBy } from './decode/decoders.ts';
import type { FrameContext } from './decode/message/candidate.ts';
import type { Decoding } from './decode/message/decoder.ts';
import type { Sender } from './normalize/identify.ts';

/** One message of a device, as it came in. */
export interface Frame {
	transport: Transport;
	/** Topic, path or port, for the rejected list. */
	source: string;
	/** The port it came by, where its transport has several: it has an account of its own. */
	port?: string;
	sender: Sender;
	context: FrameContext;
	/** The bytes as they came. */
	raw: Buffer;
	/** The value they stand for, where the source has parsed it already (Socket.IO). */
	parsed?: unknown;
	/** The rule whose decoder reads them; undefined for the gateway's own format. */
	decodeBy?: DecodeBy | undefined;
	/**
	 * What it made of them, so that a frame that is delivered again is not decoded twice: a decoder may count what it
	 * sees.
	 */
	decoding?: Decoding;
	/** Where the source names one. */
	contentType?: string;
	/** When it came in, epoch ms; default: now. */
	receivedAt?: number;
	/** The refusal that is taken in again with this frame. */
	replayOf?: number;
}

/** A frame as far as the rejected list needs it. */
export type Refused = Omit<Frame, 'sender' | 'context'> & {
	sender: Sender | undefined;
	context?: FrameContext;
	/** Only counted: so much like it was listed lately that more would wear out the disk and tell nothing. */
	unlisted?: boolean;
};

/** Called once: with the number of readings when all are durable, or with the error that kept them from it. */
export type Completion = (error: Error | undefined, accepted: number) => void;

/**
 * Hands a frame over to be stored. The sender may be acknowledged only once `onDurable` is called without an error.
 * The errors are those of `Intake.deliver`. MQTT hands over tens of thousands of frames a second, so this is no promise.
 */
export type Take = (frame: Frame, onDurable: Completion) => void;

/** `Take` as a promise of the number of readings. */
export type Deliver = (frame: Frame) => Promise<number>;

/** For a source that can afford a promise for each frame. */
export function deliverTo(take: Take): Deliver {
	return (frame) =>
		new Promise((resolve, reject) => {
			take(frame, (error, accepted) => (error ? reject(error) : resolve(accepted)));
		});
}
