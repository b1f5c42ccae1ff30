import type { Decoded } from '../message/candidate.ts';
import type { UnknownField } from '../message/unknown-field.ts';

/** What the push of a people counter holds. */
export interface ReadPush {
	readings: Decoded[];
	/** What looks like a measure in it and is not read. */
	unknown: UnknownField[];
}
