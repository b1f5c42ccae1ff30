import { describe, expect, it } from 'vitest';
import { DecodeQueue } from './decode-queue.ts';

/** A frame whose decoding ends when the test says so. */
function pending<T>() {
	const { promise, resolve, reject } = Promise.withResolvers<T>();
	return { decode: () => promise, resolve, reject };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('DecodeQueue', () => {
	it('delivers the frames of each sender in their order, however long each takes', async () => {
		const queue = new DecodeQueue();
		const out: unknown[] = [];
		const then = (_error: Error | undefined, decoded?: unknown) => out.push(decoded);
		const [slow, quick] = [pending<string>(), pending<string>()];
		queue.run('a', 1, slow.decode, then);
		queue.run('a', 1, quick.decode, then);
		queue.run('a', 1, () => 'at once', then);
		queue.run('b', 1, () => 'of another sender', then);
		expect(out).toEqual(['of another sender']);
		quick.resolve('second');
		await settle();
		expect(out).toEqual(['of another sender']);
		slow.resolve('first');
		await settle();
		expect(out).toEqual(['of another sender', 'first', 'second', 'at once']);
	});

	it('says that a sender is waiting until its last frame is decoded', async () => {
		const queue = new DecodeQueue();
		expect(queue.isWaiting('a')).toBe(false);
		const slow = pending<string>();
		queue.run('a', 1, slow.decode, () => undefined);
		expect([queue.isWaiting('a'), queue.isWaiting('b')]).toEqual([true, false]);
		slow.resolve('x');
		await settle();
		expect(queue.isWaiting('a')).toBe(false);
	});

	it('delivers the next frame after one that fails', async () => {
		const queue = new DecodeQueue();
		const out: unknown[] = [];
		const slow = pending<string>();
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

	it('refuses frames above its bounds of frames and of bytes, to be sent again after a second', async () => {
		const queue = new DecodeQueue({ frames: 3, bytes: 100 });
		const waiting = [pending<string>(), pending<string>(), pending<string>()];
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
