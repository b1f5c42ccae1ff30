/** What decoders return: candidates for readings, or a DecodeError. */
import type { Problem } from '@crowdvision/contracts';

/** A decoded reading with the names of the contract, not yet validated. */
export type Candidate = Record<string, unknown>;

/** A candidate and its index in the batch; 0 for a single reading. */
export interface Decoded {
	candidate: Candidate;
	index: number;
	/**
	 * The message states what holds, and says again what it said before: crossings in it are news only if their own time
	 * (`dated`) is. `undated`: they have none.
	 */
	restated?: 'dated' | 'undated';
	/** JSON Pointer to its value in the message, where it is not `/value` of a reading. */
	path?: string;
	/** It is of an array of the gateway's own format, which is taken whole or not at all. */
	whole?: true;
	/** Why this part of the message cannot be read; `candidate` is empty then. */
	mistake?: DecodeError;
}

/** A part of a message that cannot be read, among others that can. */
export function refusedPart(mistake: DecodeError): Decoded {
	return { candidate: {}, index: mistake.index, mistake };
}

/** What the topic or the port's configuration already names. A payload that contradicts it is refused. */
export interface FrameContext {
	sensorId?: string;
	metric?: string;
	buildingId?: string;
	roomId?: string;
	/** The sender's only sensor, for formats that need not name one. */
	onlySensorId?: string;
	/** IANA name of the zone of times without an offset. */
	timeZone?: string;
}

/** A frame that violates its format. `index` is the reading's index in a batch. */
export class DecodeError extends Error {
	readonly problem: Problem;
	readonly index: number;
	/** `not_decoded`: the payload is malformed as a whole. `invalid_reading`: one reading of it is wrong. */
	readonly code: 'invalid_reading' | 'not_decoded';

	constructor(problem: Problem, index: number, code: DecodeError['code'] = 'invalid_reading') {
		super(`${problem.path || 'the payload'} ${problem.message}`);
		this.problem = problem;
		this.index = index;
		this.code = code;
	}

	/** For a malformed payload, of which no reading can be decoded. */
	static unreadable(message: string): DecodeError {
		return new DecodeError({ path: '', message }, 0, 'not_decoded');
	}
}
