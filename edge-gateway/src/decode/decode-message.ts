/** Has a rule's decoder read a message, and tells what a product says beside its readings from faults. */
import { CrowdVisionError } from '@crowdvision/contracts';
import type { DecodeBy } from './decoders.ts';
import { DecodeError } from './message/candidate.ts';
import type { Decoding, Message } from './message/decoder.ts';
import { presenceIn } from './message/presence.ts';

/** Formats that say nothing about the product. */
const USERS_OWN = new Set(['jsonata', 'codec', 'canonical', 'cbor', 'senml']);
/** How a JSON document begins. */
const OPENINGS = new Set(['{', '['].map((opening) => opening.charCodeAt(0)));

/**
 * The result of a rule's decoder; or whose coming and going the message tells of, where its topic is for that. An empty
 * message is chatter, as it clears a retained one. So is a message on a side topic of the product that holds no
 * reading; if it is damaged JSON within the rule's topics, it stays a fault.
 * @throws as the decoder; CrowdVisionError `bad_request` for readings on a topic that the rule does not read
 */
export function decodeMessage({ rule, side, tellsOf }: DecodeBy, message: Message): Decoding | Promise<Decoding> {
	const presence = presenceIn(message.raw, tellsOf);
	if (presence) return presence;
	if (message.raw.length === 0) return 'chatter';
	if (side === undefined) return rule.decoder.decode(message);
	return decodeBeside(rule, side, message);
}

async function decodeBeside(
	{ name, use, decoder }: DecodeBy['rule'],
	side: 'within' | 'beside',
	message: Message,
): Promise<Decoding> {
	// A mapping is written for the topics of its rule, and would make something of others.
	if (side === 'beside' && USERS_OWN.has(use)) return 'chatter';
	let decoding: Decoding;
	try {
		// What is not read on a topic beside the rule's says nothing about the rule.
		decoding = await decoder.decode(side === 'beside' ? withoutNotes(message) : message);
	} catch (error) {
		const isFault = error instanceof DecodeError || (error instanceof CrowdVisionError && error.status < 500);
		if (!isFault || (side === 'within' && OPENINGS.has(message.raw[0]!))) throw error;
		return 'chatter';
	}
	if (side === 'within') return decoding === 'not_telemetry' ? 'chatter' : decoding;
	if (typeof decoding === 'string') return 'chatter';
	if (!Array.isArray(decoding)) return decoding;
	throw new CrowdVisionError(
		'bad_request',
		`No rule of decoders reads ${message.source}, but the message holds readings: widen the topic ${name} of its rule`,
	);
}

function withoutNotes({ unknown: _unknown, warnings: _warnings, ...message }: Message): Message {
	return message;
}
