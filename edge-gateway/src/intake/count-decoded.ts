/** Counts what a decoder made of messages, by rule. */
import type { Decoding } from '../decode/message/decoder.ts';
import { count, type Tally } from '../ledger/tally.ts';
import { toClientError } from './reading-validator.ts';

/**
 * Counts a decoder's result in the tally of its rule, in messages: what becomes of the readings is not counted there.
 */
export function countDecoded(ofRule: Tally, decoding: Decoding | Error): void {
	if (typeof decoding === 'string') count(ofRule.ignored, decoding);
	else if (Array.isArray(decoding)) ofRule.accepted += 1;
	else if (!(decoding instanceof Error)) count(ofRule.ignored, 'presence');
	else {
		const { status, code } = toClientError(decoding, true)!;
		if (status < 500) count(ofRule.rejected, code);
		else ofRule.deferred += 1;
	}
}
