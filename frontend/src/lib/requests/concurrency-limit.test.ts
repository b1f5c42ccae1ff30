import { describe, expect, it } from 'vitest';
import { limiter } from './concurrency-limit.ts';

describe('requests in turn', () => {
	it('never run more at once than allowed, and all of them run in order', async () => {
		const inTurn = limiter(2);
		const begun: number[] = [];
		let running = 0;
		let most = 0;
		const results = await Promise.all(
			[0, 1, 2, 3, 4, 5].map((task) =>
				inTurn(async () => {
					begun.push(task);
					running += 1;
					most = Math.max(most, running);
					await new Promise((done) => setImmediate(done));
					running -= 1;
					return task;
				}),
			),
		);
		expect(results).toEqual([0, 1, 2, 3, 4, 5]);
		expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
		expect(most).toBe(2);
	});

	it('go on behind one that fails', async () => {
		const inTurn = limiter(1);
		const failing = inTurn(() => Promise.reject(new Error('no')));
		const next = inTurn(() => Promise.resolve('yes'));
		await expect(failing).rejects.toThrow('no');
		await expect(next).resolves.toBe('yes');
	});
});
