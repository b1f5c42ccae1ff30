import type { Decoded } from './candidate.ts';

/** A message as its decoder sees it. */
export interface Message {
	/** The bytes as they came. */
	raw: Buffer;
	/** The MQTT topic, or the path or port it came by. */
	source: string;
	/** The id of who sent it: what a decoder learns of one sender must not change what another's messages mean. */
	sender: string;
	/** What the wildcards of the rule's filter stand for in this topic, joined by `/`; undefined where it has none. */
	name: string | undefined;
	/** Epoch ms. */
	receivedAt: number;
}

/** Why a message that is all right holds no reading. */
export const NO_READING = {
	no_metric: 'it holds no value of a metric of the catalog',
	not_telemetry: 'it is of a kind that never holds readings: a state, a join, a log line',
	nothing_mapped: 'its mapping says nothing of it',
	unknown_alias: 'it names its metrics by aliases whose birth was not heard; a rebirth was asked for',
} as const;
export type NoReading = keyof typeof NO_READING;

/** The readings of a message, at least one; or why there is none. */
export type Decoding = Decoded[] | NoReading;

/**
 * Makes readings of one vendor's messages. Called in the order the messages of each sender came in; it may keep state,
 * and may answer later. Throws, or rejects with, DecodeError or CrowdVisionError `not_json`.
 */
export interface Decoder {
	decode(message: Message): Decoding | Promise<Decoding>;
	close?(): Promise<void>;
}

/** A decoder that is nothing but a function. */
export function stateless(decode: (message: Message) => Decoding): Decoder {
	return { decode };
}

/** The readings, or that there is none. */
export function orNoMetric(readings: Decoded[]): Decoding {
	return readings.length > 0 ? readings : 'no_metric';
}
