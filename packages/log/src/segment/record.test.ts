import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	type DedupKey,
	encodedBound,
	encodeRecord,
	keyAt,
	MAX_PAYLOAD,
	recordAt,
	SECONDS_WRAP,
	secondsAt,
	tooLarge,
} from './record.ts';
import { type DamagedStretch, highestOffsetIn, walkRecords } from './segment.ts';

interface Written {
	offset: number;
	at: number;
	seconds: number;
	payload: Buffer | string;
	key: DedupKey | undefined;
}

const name = fc.string({ unit: 'binary', maxLength: 60 });
const key = fc.record({
	source: name,
	boot: name,
	seq: fc.double({ noNaN: true }),
	hash: fc.nat({ max: 0xffff_ffff }),
});
const written = fc.record({
	at: fc.integer({ min: 0, max: 2 ** 45 }),
	seconds: fc.nat({ max: 2 ** 31 }),
	payload: fc.oneof(
		fc.string({ unit: 'binary', maxLength: 300 }),
		fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
	),
	key: fc.option(key, { nil: undefined }),
});
const records = fc
	.tuple(fc.array(written, { minLength: 1, maxLength: 12 }), fc.nat({ max: 2 ** 40 }))
	.map(([list, first]) => list.map((each, index): Written => ({ ...each, offset: first + index })));

/** A string after a round trip through UTF-8, which replaces lone surrogates. */
const asText = (text: string) => Buffer.from(text).toString();

function encode(list: readonly Written[]): { bytes: Buffer; ends: number[] } {
	const bytes = Buffer.alloc(list.reduce((sum, { payload, key: itsKey }) => sum + encodedBound(payload, itsKey), 0));
	let position = 0;
	const ends = list.map(({ offset, at, seconds, payload, key: itsKey }) => {
		position = encodeRecord(bytes, position, offset, at, seconds, payload, itsKey);
		return position;
	});
	return { bytes: bytes.subarray(0, position), ends };
}

function walk(bytes: Buffer, after: number) {
	const found: { offset: number; position: number }[] = [];
	const damage: DamagedStretch[] = [];
	const end = walkRecords(
		bytes,
		0,
		after,
		(position, offset) => found.push({ offset, position }),
		(stretch) => damage.push(stretch),
	);
	return { found, damage, end };
}

describe('a record', () => {
	it('is read as it was written, and is not longer than its bound', () => {
		fc.assert(
			fc.property(records, (list) => {
				const { bytes, ends } = encode(list);
				const { found, damage, end } = walk(bytes, list[0]!.offset - 1);
				expect(damage).toEqual([]);
				expect(end).toBe(bytes.length);
				expect(found.map(({ offset }) => offset)).toEqual(list.map(({ offset }) => offset));
				for (const [index, { position }] of found.entries()) {
					const { at, seconds, payload, key: itsKey, offset } = list[index]!;
					const record = recordAt(bytes, position, ends[index]! - position);
					expect({ offset: record.offset, at: record.at }).toEqual({ offset, at });
					expect(record.payload.equals(Buffer.from(payload as string))).toBe(true);
					expect(secondsAt(bytes, position)).toBe(seconds % SECONDS_WRAP);
					expect(keyAt(bytes, position)).toEqual(
						itsKey && { ...itsKey, source: asText(itsKey.source), boot: asText(itsKey.boot) },
					);
				}
			}),
		);
	});

	it('is never made up by damage, and is read if no damage touched it', () => {
		const harm = fc.record({
			kind: fc.constantFrom('flip', 'zero', 'cut', 'delete', 'insert', 'copy' as const),
			at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
			length: fc.integer({ min: 1, max: 200 }),
			noise: fc.uint8Array({ minLength: 200, maxLength: 200 }),
		});
		fc.assert(
			fc.property(records, harm, (list, { kind, at, length, noise }) => {
				const { bytes, ends } = encode(list);
				const from = Math.floor(at * bytes.length);
				const to = kind === 'cut' ? bytes.length : Math.min(bytes.length, from + length);
				const put = {
					flip: Buffer.from(bytes.subarray(from, to)).map((byte, index) => byte ^ (noise[index]! | 1)),
					zero: Buffer.alloc(to - from),
					cut: Buffer.alloc(0),
					delete: Buffer.alloc(0),
					insert: Buffer.concat([noise, bytes.subarray(from, to)]),
					copy: Buffer.concat([bytes, bytes.subarray(from, to)]),
				}[kind];
				const damaged = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);
				const { found } = walk(damaged, list[0]!.offset - 1);
				const payloads = new Map(list.map(({ offset, payload }) => [offset, Buffer.from(payload as string)]));
				let last = -1;
				for (const { offset, position } of found) {
					expect(offset).toBeGreaterThan(last);
					last = offset;
					const length = damaged.readUInt32LE(position + 8);
					expect(recordAt(damaged, position, length).payload.equals(payloads.get(offset)!)).toBe(true);
				}
				const offsets = new Set(found.map(({ offset }) => offset));
				for (const [index, { offset }] of list.entries()) {
					const begin = index === 0 ? 0 : ends[index - 1]!;
					const touched = begin < to && ends[index]! > from;
					// Inserting at the very beginning of a record moves it without harm; a copy inserted inside a record tears
					// it.
					if (!touched) expect(offsets).toContain(offset);
				}
			}),
			{ numRuns: 1000 },
		);
	});

	it('is cut off without a trace where a write was interrupted', () => {
		fc.assert(
			fc.property(records, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, share) => {
				const { bytes, ends } = encode(list);
				const cut = Math.floor(share * bytes.length);
				const whole = ends.filter((end) => end <= cut).length;
				const { found, damage, end } = walk(bytes.subarray(0, cut), list[0]!.offset - 1);
				expect(found.length).toBe(whole);
				expect(end).toBe(whole === 0 ? 0 : ends[whole - 1]);
				expect(damage.every(({ torn, before }) => torn && before === undefined)).toBe(true);
			}),
		);
	});

	it('shows how far a damaged end may have reached, exactly if its headers are intact', () => {
		const list = Array.from(
			{ length: 5 },
			(_, index): Written => ({ offset: 10 + index, at: 1, seconds: 1, payload: 'a payload', key: undefined }),
		);
		const { bytes, ends } = encode(list);
		for (const [index, end] of ends.entries()) {
			const broken = Buffer.from(bytes);
			broken[end - 1]! ^= 1;
			const begin = index === 0 ? 0 : ends[index - 1]!;
			expect(highestOffsetIn(broken, begin, list[index]!.offset - 1)).toBe(14);
			const zeroed = Buffer.from(bytes).fill(0, begin);
			const highest = highestOffsetIn(zeroed, begin, list[index]!.offset - 1);
			expect(highest).toBeGreaterThanOrEqual(14);
			expect(highest).toBeLessThanOrEqual(list[index]!.offset + (bytes.length - begin) / 32);
		}
	});

	it('is refused as too large before anything is written', () => {
		const names = { source: 's', boot: '', seq: 1, hash: 1 };
		expect(tooLarge(Buffer.alloc(MAX_PAYLOAD), undefined)).toBeUndefined();
		expect(tooLarge(Buffer.alloc(MAX_PAYLOAD + 1), undefined)).toContain(`${MAX_PAYLOAD + 1} bytes`);
		expect(tooLarge('€'.repeat(MAX_PAYLOAD / 2), undefined)).toContain('bytes');
		expect(tooLarge('x', { ...names, source: '€'.repeat(85) })).toBeUndefined();
		expect(tooLarge('x', { ...names, source: '€'.repeat(86) })).toContain('255');
		expect(tooLarge('x', { ...names, boot: 'b'.repeat(256) })).toContain('255');
	});
});
