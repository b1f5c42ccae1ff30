/** One message of a device as sources, intake and the rejected list pass it on, and how it is handed over. */
import type { RejectedPart, Transport } from '@crowdvision/contracts';
import type { DecodeBy } from './decode/decoders.ts';
import type { FrameContext } from './decode/message/candidate.ts';
import type { Decoding } from './decode/message/decoder.ts';
import type { Sender } from './normalize/identify.ts';

/** The content type of a frame whose lines are readings. */
export const NDJSON_TYPE = 'application/x-ndjson';

/** One message of a device, as it was received. */
export interface Frame {
	transport: Transport;
	/** Topic, path or port, for the rejected list. */
	source: string;
	/** The port it came by, if its transport has several; each has a tally of its own. */
	port?: string;
	sender: Sender;
	context: FrameContext;
	/** The bytes as received. */
	raw: Buffer;
	/** The parsed value, if the source has one already (Socket.IO, serial). */
	parsed?: unknown;
	/** The rule whose decoder reads the bytes; undefined for the gateway's own format. */
	decodeBy?: DecodeBy | undefined;
	/** The decoder's result, so that a frame that is delivered again is not decoded twice: a decoder may keep state. */
	decoding?: Decoding;
	/** What a codec warned of in it. */
	warnings?: readonly string[];
	/** The content type, if the source states one. */
	contentType?: string;
	/** A retained message, which may have been sent before. */
	retained?: boolean;
	/** When it was received, epoch ms; default: now. */
	receivedAt?: number;
	/** The entry of the rejected list that this frame replays. */
	replayOf?: number;
	/** Of an array of the gateway's own format too, what is sound is taken: `?partial=1`. */
	partial?: boolean;
	/** Only these parts are meant (see intake/parts.ts): of a replay, whose other parts were taken the first time. */
	parts?: ReadonlySet<string>;
	/** Set before `onDurable` is called: the parts that were refused while the others were taken. */
	rejected?: readonly RejectedPart[];
}

/** A frame for the rejected list. */
export type Refused = Omit<Frame, 'sender' | 'context'> & {
	sender: Sender | undefined;
	context?: FrameContext;
	/** Only counted, not listed: a flood of similar frames would wear out the disk and add nothing. */
	unlisted?: boolean;
};

/** Called once: with the number of readings when all are durable, or with the error that kept them from it. */
export type Completion = (error: Error | undefined, accepted: number) => void;

/**
 * Hands a frame over to be stored. The sender may be acknowledged only once `onDurable` is called without an error. The
 * errors are those of `Intake.deliver`. A callback, not a promise, as MQTT hands over tens of thousands a second.
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
