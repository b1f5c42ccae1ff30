import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupLedger } from './group-ledger.ts';

interface Entry {
	offset: number;
}

/** An event of a group: entries are read, taken by one of three members, or acknowledged or given back by it. */
const event = fc.oneof(
	fc.record({ what: fc.constant('read' as const), holes: fc.array(fc.nat(3), { maxLength: 5 }), behind: fc.nat(3) }),
	fc.record({ what: fc.constant('take' as const), member: fc.nat(2), max: fc.integer({ min: 1, max: 4 }) }),
	fc.record({
		what: fc.constant('acknowledge' as const),
		member: fc.nat(2),
		which: fc.array(fc.nat(7), { maxLength: 4 }),
	}),
	fc.record({ what: fc.constant('leave' as const), member: fc.nat(2) }),
);

describe('GroupLedger', () => {
	it('loses nothing, gives no entry to two members, and is done up to the lowest unacknowledged entry', () => {
		fc.assert(
			fc.property(fc.nat(50), fc.array(event, { maxLength: 60 }), (start, events) => {
				const ledger = new GroupLedger<Entry>(start);
				const hands = [new Map<number, Entry>(), new Map<number, Entry>(), new Map<number, Entry>()];
				const unacknowledged = new Set<number>();
				let end = start;
				let done = start;
				for (const one of events) {
					if (one.what === 'read') {
						const entries: Entry[] = [];
						for (const hole of one.holes) {
							end += hole;
							entries.push({ offset: end });
							unacknowledged.add(end++);
						}
						end += one.behind;
						ledger.add(entries, end);
					} else if (one.what === 'take') {
						const held = new Set(hands.flatMap((hand) => [...hand.keys()]));
						const free = [...unacknowledged].filter((offset) => !held.has(offset)).sort((a, b) => a - b);
						const taken = ledger.take(one.max);
						expect(taken.map(({ offset }) => offset)).toEqual(free.slice(0, one.max));
						for (const entry of taken) hands[one.member]!.set(entry.offset, entry);
					} else if (one.what === 'acknowledge') {
						const hand = hands[one.member]!;
						const offsets = one.which.flatMap((index) => [...hand.keys()][index] ?? []);
						ledger.acknowledge(offsets);
						for (const offset of offsets) {
							hand.delete(offset);
							unacknowledged.delete(offset);
						}
					} else {
						ledger.giveBack([...hands[one.member]!.values()]);
						hands[one.member]!.clear();
					}
					expect(ledger.next).toBe(end);
					expect(ledger.open).toBe(unacknowledged.size);
					expect(ledger.done).toBe(Math.min(end, ...unacknowledged));
					expect(ledger.done).toBeGreaterThanOrEqual(done);
					done = ledger.done;
				}
			}),
			{ numRuns: 500 },
		);
	});

	it('does not hand out again what was acknowledged before it was given back', () => {
		const ledger = new GroupLedger<Entry>(0);
		ledger.add([{ offset: 0 }, { offset: 1 }], 2);
		const held = ledger.take(2);
		ledger.acknowledge([0]);
		ledger.giveBack(held);
		expect(ledger.take(2)).toEqual([{ offset: 1 }]);
	});
});
