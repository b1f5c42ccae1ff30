import { expect, it } from 'vitest';
import { encodedBound, encodeRecord } from './record.ts';
import { RecordImage } from './record-image.ts';

const encoded = (payload: string, offset: number, key: Parameters<typeof encodedBound>[1]) => {
	const bytes = Buffer.alloc(encodedBound(payload, key));
	return bytes.subarray(0, encodeRecord(bytes, 0, offset, 1_796_040_000_000, 4_194_304 + 7, payload, key));
};

it.each([
	['with a key', { source: 'door-1 co2', boot: 'a°', seq: 2 ** 53 - 1, hash: 0xdead_beef }],
	['with a key without a boot', { source: 'd', boot: '', seq: 0, hash: 0 }],
	['without a key', undefined],
])('an image of a record %s is the record that would have been encoded, whatever payload it gets', (_what, key) => {
	const image = new RecordImage(key, 100);
	for (const [offset, payload] of [
		'{"value":1}',
		'{"value":22.5,"x":"°"}',
		'',
		'{"value":1}',
		'{"value":2}',
	].entries()) {
		image.length = image.payloadStart + image.bytes.write(payload, image.payloadStart);
		if (image.key && key) Object.assign(image.key, { seq: key.seq, hash: key.hash });
		image.seal(offset * 1e9, 1_796_040_000_000, 4_194_304 + 7);
		expect(image.bytes.subarray(0, image.length)).toEqual(encoded(payload, offset * 1e9, key));
	}
});
