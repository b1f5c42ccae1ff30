/** The interface of a decoder: the message it gets, and its result. */
import type { Decoded } from './candidate.ts';
import { isNoValue } from './number.ts';
import type { Presence } from './presence.ts';
import type { UnknownField } from './unknown-field.ts';

/** A message as the decoder gets it. */
export interface Message {
	/** The payload as received. */
	raw: Buffer;
	/** The MQTT topic, path or port by which it was received. */
	source: string;
	/** The sender's id. Decoder state learned from one sender must not change how another's messages are read. */
	sender: string;
	/** The topic levels that the wildcards of the rule's filter match, joined by `/`; undefined without wildcards. */
	name: string | undefined;
	/** Epoch ms. */
	receivedAt: number;
	/** IANA name of the zone of times without an offset, if the rule has one. */
	timeZone?: string | undefined;
	/** Where a decoder adds what looks like a measure and is not read; undefined: nobody wants to know. */
	unknown?: UnknownField[];
	/** Where a decoder adds what a codec warns of; undefined: nobody wants to know. */
	warnings?: string[];
}

/** Why a valid message holds no reading. */
export const NO_READING = {
	no_metric: 'it holds no value of a metric in the catalog',
	no_value: 'its members say that nothing was measured: null, nan, unavailable or an empty text',
	unknown_field: 'it holds what looks like a measure, under keys that no rule reads',
	not_telemetry: 'its kind never holds readings: a state, a join, a log line',
	chatter:
		'it is what such a device says beside its readings: one attribute of its state, housekeeping, a log line, ' +
		'a command, or a topic that it clears',
	nothing_mapped: 'its mapping returns nothing for it',
	unknown_alias: 'it names its metrics by aliases whose birth was not received; a rebirth was requested',
} as const;
/** A reason from `NO_READING`. */
export type NoReading = keyof typeof NO_READING;

/** The readings of a message, at least one; or why it holds none; or whose coming and going it tells of. */
export type Decoding = Decoded[] | NoReading | Presence;

/**
 * Decodes messages of one format. Called in the order in which each sender's messages arrive; may keep state and may
 * return a promise. Throws, or rejects with, DecodeError or CrowdVisionError `not_json` or `unavailable`.
 */
export interface Decoder {
	decode(message: Message): Decoding | Promise<Decoding>;
	close?(): Promise<void>;
}

/** A decoder that keeps no state. */
export function stateless(decode: (message: Message) => Decoding): Decoder {
	return { decode };
}

/**
 * The readings without those whose value says that nothing was measured; `no_value` if no other are left, `no_metric`
 * if there are none.
 */
export function orNoMetric(readings: Decoded[]): Decoded[] | NoReading {
	if (readings.length === 0) return 'no_metric';
	const measured = readings.filter(({ candidate, mistake }) => mistake || !isNoValue(candidate.value));
	return measured.length > 0 ? measured : 'no_value';
}
