import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepRunning, keepTrying } from './keep-trying.ts';
import { Retry } from './retry-state.ts';

const WHAT = { what: 'reading the stream' };

/** Records what is logged, as `level message`. */
function recordingLogger() {
	const lines: string[] = [];
	const record = (level: string) => (_details: object, message: string) => void lines.push(`${level} ${message}`);
	return { lines, info: record('info'), warn: record('warn'), error: record('error') };
}

/** A task that fails so many times, then returns `done`; `calls` are the times it ran at, in ms of the fake clock. */
function failing(times: number) {
	const calls: number[] = [];
	const task = async () => {
		calls.push(performance.now());
		if (calls.length <= times) throw new Error(`failure ${calls.length}`);
		return 'done';
	};
	return { task, calls };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Lets the fake clock run until `promise` is settled. */
async function outcome<T>(promise: Promise<T>): Promise<T> {
	let settled = false;
	const done = promise.finally(() => {
		settled = true;
	});
	done.catch(() => undefined);
	for (let turns = 0; !settled && turns < 1000; turns++) await vi.advanceTimersToNextTimerAsync();
	return done;
}

describe('keepTrying', () => {
	it('resolves with the result of the first try that succeeds', async () => {
		const { task, calls } = failing(3);
		await expect(outcome(keepTrying(task, WHAT))).resolves.toBe('done');
		expect(calls).toHaveLength(4);
	});

	it('doubles the pause up to the longest one, with jitter in its upper half', async () => {
		const { task, calls } = failing(6);
		await outcome(keepTrying(task, { ...WHAT, firstMs: 100, longestMs: 1000 }));
		const pauses = calls.slice(1).map((at, index) => at - calls[index]!);
		[100, 200, 400, 800, 1000, 1000].forEach((ceiling, index) => {
			expect(pauses[index]).toBeGreaterThanOrEqual(ceiling / 2 - 1);
			expect(pauses[index]).toBeLessThanOrEqual(ceiling + 1);
		});
	});

	it('throws the last error after the given number of tries', async () => {
		const { task, calls } = failing(9);
		await expect(outcome(keepTrying(task, { ...WHAT, maxTries: 3 }))).rejects.toThrow('failure 3');
		expect(calls).toHaveLength(3);
	});

	it('throws the last error once the given time is over', async () => {
		const { task, calls } = failing(1000);
		await expect(outcome(keepTrying(task, { ...WHAT, longestMs: 100, withinMs: 1000 }))).rejects.toThrow('failure');
		expect(calls.at(-1)! - calls[0]!).toBeLessThanOrEqual(1101);
		expect(calls.length).toBeGreaterThan(9);
	});

	it('throws an error at once where trying again does not help', async () => {
		const { task, calls } = failing(9);
		const retryIf = (error: unknown) => (error as Error).message !== 'failure 2';
		await expect(outcome(keepTrying(task, { ...WHAT, retryIf }))).rejects.toThrow('failure 2');
		expect(calls).toHaveLength(2);
	});

	it('throws the last error without another try when the signal aborts during a pause', async () => {
		const stopping = new AbortController();
		const { task, calls } = failing(9);
		const trying = keepTrying(task, { ...WHAT, signal: stopping.signal, onFailure: () => stopping.abort() });
		await expect(trying).rejects.toThrow('failure 1');
		expect(calls).toHaveLength(1);
	});

	it('runs the task once when the signal is aborted already', async () => {
		await expect(keepTrying(failing(0).task, { ...WHAT, signal: AbortSignal.abort() })).resolves.toBe('done');
		await expect(keepTrying(failing(1).task, { ...WHAT, signal: AbortSignal.abort() })).rejects.toThrow('failure 1');
	});

	it('logs the first of several failures and the success after them', async () => {
		const logger = recordingLogger();
		await outcome(keepTrying(failing(3).task, { ...WHAT, logger, level: 'error' }));
		await outcome(keepTrying(failing(0).task, { ...WHAT, logger }));
		expect(logger.lines).toEqual([
			'error reading the stream failed; trying again',
			'info reading the stream works again',
		]);
	});
});

describe('keepRunning', () => {
	it('runs the step until the signal aborts, and starts over with the first pause after a success', async () => {
		const stopping = new AbortController();
		const failures: number[] = [];
		let runs = 0;
		const step = async () => {
			if (++runs === 7) stopping.abort();
			if (runs !== 4) throw new Error('no');
		};
		const onFailure = (state: { failures: number }) => void failures.push(state.failures);
		await outcome(keepRunning(step, { ...WHAT, signal: stopping.signal, onFailure }));
		expect(runs).toBe(7);
		expect(failures).toEqual([1, 2, 3, 1, 2]);
	});

	it('counts the end of a long step that made progress as a first failure', async () => {
		const stopping = new AbortController();
		const failures: number[] = [];
		const step = async (succeeded: () => void) => {
			succeeded();
			if (failures.length === 3) return stopping.abort();
			throw new Error('the connection was lost');
		};
		const onFailure = (state: { failures: number }) => void failures.push(state.failures);
		await outcome(keepRunning(step, { ...WHAT, signal: stopping.signal, onFailure }));
		expect(failures).toEqual([1, 1, 1]);
	});
});

describe('Retry', () => {
	it('describes the failing task, its last error and the next try in one line', async () => {
		const retry = new Retry({ ...WHAT, firstMs: 4000, longestMs: 4000 });
		expect(retry.trouble()).toBeUndefined();
		void retry.failed(new Error('refused'));
		const line = 'reading the stream: refused (failing for 0.0 s, 1 try, next try in ';
		expect(retry.trouble()).toMatch(new RegExp(`^${line.replace(/[().]/g, '\\$&')}[234] s\\)$`));
		await vi.advanceTimersByTimeAsync(5000);
		expect(retry.trouble()).toBe('reading the stream: refused (failing for 5 s, 1 try, trying now)');
		retry.succeeded();
		expect(retry.trouble()).toBeUndefined();
	});

	it('ends a pause at once when told to try now', async () => {
		const retry = new Retry({ ...WHAT, firstMs: 60_000 });
		const paused = retry.failed('refused');
		retry.tryNow();
		await paused;
		expect(retry.state).toMatchObject({ failures: 1, error: 'refused', failingForMs: 0 });
	});
});
