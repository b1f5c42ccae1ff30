import type { IncomingReading } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dedupKey } from './dedupe.ts';

const READING: IncomingReading = {
	sensorId: 'door-3',
	metric: 'peopleCount',
	value: 23,
	unit: 'person',
	observedAt: 1764000000000,
	seq: 7,
	boot: 'a',
};
const keyOf = (change: Partial<IncomingReading>, buildingId = 'b1', roomId = 'hall') =>
	dedupKey({ ...READING, ...change }, buildingId, roomId);

describe('the dedup key of a reading', () => {
	it('is undefined without a seq', () => {
		const { seq: _seq, ...reading } = READING;
		expect(dedupKey(reading, 'b1', 'hall')).toBeUndefined();
	});

	it('is the same in every delivery of a reading', () => {
		expect(keyOf({})).toEqual(keyOf({}));
		expect(keyOf({})).toMatchObject({ source: 'door-3 peopleCount', boot: 'a', seq: 7 });
		const { boot: _boot, ...reading } = READING;
		expect(dedupKey(reading, 'b1', 'hall')).toMatchObject({ boot: '' });
	});

	it('has another source for another sensor or metric: one message with several metrics may use one seq', () => {
		expect(keyOf({ metric: 'co2' })?.source).not.toBe(keyOf({})?.source);
		expect(keyOf({ sensorId: 'door-4' })?.source).not.toBe(keyOf({})?.source);
	});

	it('has another hash for another value, unit, time or place', () => {
		const { unit: _unit, observedAt: _at, ...bare } = READING;
		const keys = [
			keyOf({}),
			keyOf({ value: 24 }),
			keyOf({ unit: 'people' }),
			keyOf({ observedAt: 1764000000001 }),
			keyOf({}, 'b2'),
			keyOf({}, 'b1', 'lobby'),
			dedupKey(bare, 'b1', 'hall'),
		];
		expect(new Set(keys.map((key) => key?.hash)).size).toBe(keys.length);
	});

	it('fits the log: source and boot take at most 255 bytes and survive being written as UTF-8', () => {
		const text = (maxLength: number) =>
			fc
				.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 1, maxLength })
				.map((codes) => String.fromCharCode(...codes));
		fc.assert(
			fc.property(fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/), text(64), (sensorId, boot) => {
				const key = keyOf({ sensorId, boot })!;
				for (const part of [key.source, key.boot]) {
					expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
					expect(Buffer.from(part).toString()).toBe(part);
				}
			}),
		);
	});
});
