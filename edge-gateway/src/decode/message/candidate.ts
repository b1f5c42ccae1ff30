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
