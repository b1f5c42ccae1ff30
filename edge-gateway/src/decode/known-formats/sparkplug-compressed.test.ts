import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decode, readingsIn, type Sent } from '../../testing/decoded-messages.ts';
import { refusalOf } from '../../testing/messages.ts';
import { type SentPayload, sparkplugPayload } from '../../testing/sparkplug-node.ts';
import { MAX_INFLATED_BYTES } from '../message/inflate.ts';

describe('P13 known formats: a compressed Sparkplug payload', () => {
	const inner = sparkplugPayload({
		timestamp: 1.7e12,
		seq: 1,
		metrics: [{ name: 'Room/co2', datatype: 3, int: 640 }],
	});
	const birth = (payload: SentPayload): Sent => ({
		use: 'sparkplug-b',
		topic: 'spBv1.0/hq/DBIRTH/pi-1/hall',
		payload: sparkplugPayload(payload),
	});
	const compressed = (body: Uint8Array, algorithm?: string): Sent =>
		birth({
			uuid: 'SPBV1.0_COMPRESSED',
			body,
			...(algorithm !== undefined && { metrics: [{ name: 'algorithm', datatype: 12, string: algorithm }] }),
		});

	it.each<[string, Sent]>([
		['gzip, named', compressed(gzipSync(inner), 'GZIP')],
		['gzip, not named', compressed(gzipSync(inner))],
		['deflate, named', compressed(deflateSync(inner), 'DEFLATE')],
		['deflate, not named', compressed(deflateSync(inner))],
		["deflate without zlib's framing", compressed(deflateRawSync(inner), 'DEFLATE')],
	])('is read: %s', (_what, sent) => {
		expect(readingsIn(sent)).toEqual(['hq.pi-1.hall.Room co2 640 1700000000000']);
	});

	it.each<[string, Sent, RegExp]>([
		[
			'that is larger than allowed when inflated',
			compressed(gzipSync(Buffer.alloc(MAX_INFLATED_BYTES + 1))),
			/is larger than 1048576 bytes when it is inflated/,
		],
		[
			'of an unknown algorithm',
			compressed(gzipSync(inner), 'ZSTD'),
			/is compressed by ZSTD, but must be by GZIP or DEFLATE/,
		],
		['that is damaged', compressed(gzipSync(inner).subarray(0, 12), 'GZIP'), /cannot be inflated/],
		['without a body', birth({ uuid: 'SPBV1.0_COMPRESSED' }), /cannot be inflated/],
		[
			'inside another',
			compressed(gzipSync(sparkplugPayload({ uuid: 'SPBV1.0_COMPRESSED', body: gzipSync(inner) }))),
			/is compressed twice/,
		],
	])('is refused by name: one %s', (_what, sent, reason) => {
		expect(refusalOf(() => decode(sent))).toMatch(reason);
	});
});
