import { describe, expect, it } from 'vitest';
import { DecodeQueue } from './decode-queue.ts';

/** Something that is decoded when it is told to. */
function later<T>() {
	const { promise, resolve, reject } = Promise.withResolvers<T>();
	return { decode: () => promise, resolve, reject };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('frames that wait to be decoded', () => {
	it('come out in the order of their sender, whatever takes how long', async () => {
		const queue = new DecodeQueue();
		const out: unknown[] = [];
		const then = (_error: Error | undefined, decoded?: unknown) => out.push(decoded);
		const [slow, quick] = [later<string>(), later<string>()];
		queue.run('a', 1, slow.decode, then);
		queue.run('a', 1, quick.decode, then);
		queue.run('a', 1, () => 'at once', then);
		queue.run('b', 1, () => 'of another', then);
		expect(out).toEqual(['of another']);
		quick.resolve('second');
		await settle();
		expect(out).toEqual(['of another']);
		slow.resolve('first');
		await settle();
		expect(out).toEqual(['of another', 'first', 'second', 'at once']);
	});

	it('hold back what comes after them, until they are through', async () => {
		const queue = new DecodeQueue();
		expect(queue.holds('a')).toBe(false);
		const slow = later<string>();
		queue.run('a', 1, slow.decode, () => undefined);
		expect([queue.holds('a'), queue.holds('b')]).toEqual([true, false]);
		slow.resolve('x');
		await settle();
		expect(queue.holds('a')).toBe(false);
	});

	it('are not held up by one that fails', async () => {
		const queue = new DecodeQueue();
		const out: unknown[] = [];
		const slow = later<string>();
		queue.run('a', 1, slow.decode, (error) => out.push(error?.message));
		queue.run(
			'a',
			1,
			() => 'next',
			(_error, decoded) => out.push(decoded),
		);
		slow.reject(new Error('broken'));
		await settle();
		expect(out).toEqual(['broken', 'next']);
	});

	it('are a bound number and a bound size; beyond it the sender is told to come again', async () => {
		const queue = new DecodeQueue({ frames: 3, bytes: 100 });
		const waiting = [later<string>(), later<string>(), later<string>()];
		for (const [index, { decode }] of waiting.entries()) queue.run(`s${index}`, 10, decode, () => undefined);
		expect(() =>
			queue.run(
				'x',
				1,
				() => 'y',
				() => undefined,
			),
		).toThrow(expect.objectContaining({ code: 'unavailable', retryAfter: 1 }));
		waiting[0]!.resolve('done');
		await settle();
		expect(() =>
			queue.run(
				'x',
				81,
				() => 'y',
				() => undefined,
			),
		).toThrow(expect.objectContaining({ code: 'unavailable' }));
		queue.run(
			'x',
			80,
			() => 'y',
			() => undefined,
		);
	});
});
