import { describe, expect, it } from 'vitest';
import { limitConcurrency } from './concurrency-limit.ts';

describe('the concurrency limit', () => {
	it('runs no more tasks at a time than allowed, and all of them in order', async () => {
		const limited = limitConcurrency(2);
		const started: number[] = [];
		let running = 0;
		let most = 0;
		const results = await Promise.all(
			[0, 1, 2, 3, 4, 5].map((task) =>
				limited(async () => {
					started.push(task);
					running += 1;
					most = Math.max(most, running);
					await new Promise((done) => setImmediate(done));
					running -= 1;
					return task;
				}),
			),
		);
		expect(results).toEqual([0, 1, 2, 3, 4, 5]);
		expect(started).toEqual([0, 1, 2, 3, 4, 5]);
		expect(most).toBe(2);
	});

	it('starts the next task after one that fails', async () => {
		const limited = limitConcurrency(1);
		const failing = limited(() => Promise.reject(new Error('no')));
		const next = limited(() => Promise.resolve('yes'));
		await expect(failing).rejects.toThrow('no');
		await expect(next).resolves.toBe('yes');
	});
});
