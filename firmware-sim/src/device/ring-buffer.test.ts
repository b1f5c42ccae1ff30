import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingBuffer } from './ring-buffer.ts';

describe('a ring buffer', () => {
	it('behaves like a bounded list that drops its oldest value, whatever is pushed and deleted', () => {
		const step = fc.oneof(fc.record({ push: fc.integer() }), fc.record({ delete: fc.nat(60) }));
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
				const buffer = new RingBuffer<number>(capacity);
				let model: { id: number; value: number }[] = [];
				let overwritten = 0;
				for (const action of steps) {
					if ('push' in action) {
						const result = buffer.push(action.push);
						model.push({ id: result.id, value: action.push });
						const dropped = model.length > capacity ? model.shift() : undefined;
						if (dropped) overwritten++;
						expect(result.overwritten).toBe(dropped?.value);
					} else {
						const there = model.some(({ id }) => id === action.delete);
						expect(buffer.delete(action.delete)).toBe(there);
						model = model.filter(({ id }) => id !== action.delete);
					}
					expect([...buffer.entries()]).toEqual(model.map(({ id, value }) => [id, value]));
					expect(buffer.size).toBe(model.length);
					expect(buffer.overwritten).toBe(overwritten);
				}
				for (let id = 0; id < 60; id++) expect(buffer.get(id)).toBe(model.find((entry) => entry.id === id)?.value);
			}),
		);
	});

	it('never assigns an id twice', () => {
		const buffer = new RingBuffer<string>(2);
		const ids = Array.from({ length: 100 }, (_, index) => {
			const { id } = buffer.push('x');
			if (index % 3 === 0) buffer.delete(id);
			return id;
		});
		expect(new Set(ids).size).toBe(100);
	});

	it('rejects a capacity below 1', () => {
		for (const capacity of [0, -1, 1.5, Number.NaN]) expect(() => new RingBuffer(capacity)).toThrow(RangeError);
	});
});
