import { describe, expect, it } from 'vitest';
import { Semaphore } from './semaphore.ts';
import { SerialQueue } from './serial-queue.ts';

describe('SerialQueue', () => {
	it('runs one task at a time, in the order they were added, also after one that fails', async () => {
		const queue = new SerialQueue(10);
		const story: string[] = [];
		const first = Promise.withResolvers<void>();
		const one = queue.run(async () => {
			story.push('one begins');
			await first.promise;
			story.push('one fails');
			throw new Error('no');
		});
		const two = queue.run(async () => story.push('two'));
		first.resolve();
		await expect(one).rejects.toThrow('no');
		await two;
		expect(story).toEqual(['one begins', 'one fails', 'two']);
	});

	it('refuses a task as unavailable while too many are unfinished', async () => {
		const queue = new SerialQueue(1);
		const blocked = Promise.withResolvers<void>();
		const running = queue.run(() => blocked.promise);
		await expect(queue.run(async () => undefined)).rejects.toMatchObject({ code: 'unavailable' });
		blocked.resolve();
		await running;
		await expect(queue.run(async () => 'taken')).resolves.toBe('taken');
	});
});

describe('Semaphore', () => {
	const signal = new AbortController().signal;

	it('lets the next one in, in order, when a place is released, and counts a second release once', async () => {
		const semaphore = new Semaphore(1);
		const entered: number[] = [];
		const release = await semaphore.acquire(signal);
		const waiting = [1, 2].map(async (number) => {
			const done = await semaphore.acquire(signal);
			entered.push(number);
			return done;
		});
		release();
		release();
		const next = await waiting[0]!;
		expect(entered).toEqual([1]);
		next();
		await waiting[1];
		expect(entered).toEqual([1, 2]);
	});

	it('rejects a waiter whose signal aborts and gives its place to the next one', async () => {
		const semaphore = new Semaphore(1);
		const release = await semaphore.acquire(signal);
		const leaving = new AbortController();
		const left = semaphore.acquire(leaving.signal);
		const stays = semaphore.acquire(signal);
		leaving.abort(new Error('gone'));
		await expect(left).rejects.toThrow('gone');
		release();
		await expect(stays).resolves.toEqual(expect.any(Function));
	});
});
