import { IncomingReading, incomingReading } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidatesIn, expectDecoded, message } from '../testing/messages.ts';
import { VENDOR_MESSAGES, type VendorMessage } from '../testing/vendor-messages.ts';
import { FORMATS, type FormatName } from './format-table.ts';
import type { Decoder, Decoding } from './message/decoder.ts';
import { BUILT_IN } from './vendor/vocabulary.ts';

const open = (format: FormatName): Decoder =>
	FORMATS[format].open({ mapping: '', publish: async () => undefined, vocabulary: BUILT_IN });
const formats = Object.entries(VENDOR_MESSAGES) as [FormatName, VendorMessage][];

describe.each(formats)('%s', (format, { topic, name, payload, readings }) => {
	const decoder = open(format);
	const decode = (raw: Buffer) => decoder.decode(message(topic, raw, name)) as Decoding;

	it('turns a valid message into readings that satisfy the contract', () => {
		const candidates = candidatesIn(decode(payload));
		expect(candidates).toHaveLength(readings);
		for (const candidate of candidates) {
			const known = Object.fromEntries(Object.entries(candidate).filter(([key]) => key in IncomingReading.properties));
			expect(incomingReading.problem(known)).toBeUndefined();
		}
	});

	it('either reads or refuses a message that is cut anywhere or has any bit changed', () => {
		for (let cut = 0; cut < payload.length; cut++) expectDecoded(() => decode(payload.subarray(0, cut)));
		for (let at = 0; at < payload.length * 8; at++) {
			const flipped = Buffer.from(payload);
			flipped[at >> 3]! ^= 1 << (at & 7);
			expectDecoded(() => decode(flipped));
		}
	});

	it('either reads or refuses any bytes, and any JSON that uses its keys', () => {
		const words = [...payload.toString('latin1').matchAll(/"([\w:.]+)":/g)].map(([, word]) => word!);
		const key = fc.constantFrom(...words, '__proto__', 'constructor', 'toString');
		const { value } = fc.letrec((tie) => ({
			value: fc.oneof(
				{ maxDepth: 5, withCrossShrink: true },
				fc.jsonValue({ maxDepth: 1 }),
				fc.dictionary(key, tie('value'), { maxKeys: 6 }),
				fc.array(tie('value'), { maxLength: 4 }),
			),
		}));
		fc.assert(
			fc.property(
				fc.oneof(
					fc.uint8Array({ maxLength: 80 }).map(Buffer.from),
					value.map((one) => Buffer.from(JSON.stringify(one))),
				),
				(raw) => {
					expectDecoded(() => decode(Buffer.from(raw)));
				},
			),
			{ numRuns: 300 },
		);
	});

	it('either reads or refuses a megabyte of nested arrays or objects', () => {
		for (const bytes of ['[', '{"a":', '\x81', '\xa1\x61a', '\x12\x00'])
			expectDecoded(() => decode(Buffer.from(bytes.repeat(Math.floor((1024 * 1024) / bytes.length)), 'latin1')));
	});
});
