import type { Problem } from '@crowdvision/contracts';

/** What a decoder makes of a frame: a reading as the device means it, not yet checked. */
export type Candidate = Record<string, unknown>;

/** A candidate and its place in the batch it came in; one that came alone has index 0. */
export interface Decoded {
	candidate: Candidate;
	index: number;
}

/** What the frame's way in already says: a topic, a port's configuration. A payload that says otherwise is refused. */
export interface FrameContext {
	sensorId?: string;
	metric?: string;
	buildingId?: string;
	roomId?: string;
	/** For formats that need not name a sensor: the only one this sender has. */
	onlySensorId?: string;
}

/** A frame that is not what its format says. `index` is the reading's place in a batch. */
export class DecodeError extends Error {
	readonly problem: Problem;
	readonly index: number;
	/** `not_decoded`: not even the form is right, so that nothing could be read. */
	readonly code: 'invalid_reading' | 'not_decoded';

	constructor(problem: Problem, index: number, code: DecodeError['code'] = 'invalid_reading') {
		super(`${problem.path || 'the payload'} ${problem.message}`);
		this.problem = problem;
		this.index = index;
		this.code = code;
	}

	/** For a payload of which nothing can be read. */
	static unreadable(message: string): DecodeError {
		return new DecodeError({ path: '', message }, 0, 'not_decoded');
	}
}
