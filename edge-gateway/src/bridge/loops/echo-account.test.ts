import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EchoAccount } from './echo-account.ts';

it('drops each echo once and nothing else, in any order (a multiset)', () => {
	const step = fc.record({
		kind: fc.constantFrom('expect', 'take'),
		topic: fc.constantFrom('a', 'b'),
		payload: fc.constantFrom('', 'x', 'y'),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const account = new EchoAccount(1000);
			const model = new Map<string, number>();
			for (const { kind, topic, payload } of steps) {
				const key = `${topic} ${payload}`;
				const expected = model.get(key) ?? 0;
				if (kind === 'expect') {
					account.expect(topic, Buffer.from(payload), 0);
					model.set(key, expected + 1);
				} else {
					expect(account.take(topic, Buffer.from(payload), 0)).toBe(expected > 0);
					model.set(key, Math.max(0, expected - 1));
				}
			}
			expect(account.size).toBe([...model.values()].reduce((sum, n) => sum + n, 0));
		}),
	);
});

it('gives up what has not come back in time, the oldest first', () => {
	const account = new EchoAccount(1000);
	account.expect('a', Buffer.from('x'), 0);
	account.expect('a', Buffer.from('x'), 900);
	expect(account.take('a', Buffer.from('x'), 1500)).toBe(true);
	expect(account.take('a', Buffer.from('x'), 1500)).toBe(false);
	expect(account.size).toBe(0);
});
