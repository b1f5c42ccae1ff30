import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExpectedEchoes } from './expected-echoes.ts';

it('each sent message is recognized as an echo once, in any order, and no other message is', () => {
	const step = fc.record({
		kind: fc.constantFrom('expect', 'take'),
		topic: fc.constantFrom('a', 'b'),
		payload: fc.constantFrom('', 'x', 'y'),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const echoes = new ExpectedEchoes(1000);
			const model = new Map<string, number>();
			for (const { kind, topic, payload } of steps) {
				const key = `${topic} ${payload}`;
				const expected = model.get(key) ?? 0;
				if (kind === 'expect') {
					echoes.expect(topic, Buffer.from(payload), 0);
					model.set(key, expected + 1);
				} else {
					expect(echoes.take(topic, Buffer.from(payload), 0)).toBe(expected > 0);
					model.set(key, Math.max(0, expected - 1));
				}
			}
			expect(echoes.size).toBe([...model.values()].reduce((sum, n) => sum + n, 0));
		}),
	);
});

it('an echo that does not come back in time is no longer expected, the oldest first', () => {
	const echoes = new ExpectedEchoes(1000);
	echoes.expect('a', Buffer.from('x'), 0);
	echoes.expect('a', Buffer.from('x'), 900);
	expect(echoes.take('a', Buffer.from('x'), 1500)).toBe(true);
	expect(echoes.take('a', Buffer.from('x'), 1500)).toBe(false);
	expect(echoes.size).toBe(0);
});
