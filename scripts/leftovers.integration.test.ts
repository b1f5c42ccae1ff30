import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { endLeftovers, leftovers, RUN_MARK } from './leftovers.ts';

describe.runIf(existsSync('/proc/self/environ'))('endLeftovers', () => {
	it('ends an orphan that carries the mark and a child that does not, and nothing else', async () => {
		const mark = randomUUID();
		const hold = ['-e', 'setInterval(() => {}, 1000)'];
		const stranger = spawn(process.execPath, hold, { detached: true, stdio: 'ignore' });
		onTestFinished(() => void stranger.kill('SIGKILL'));
		const spawned = `spawn(process.execPath, ${JSON.stringify(hold)}, { detached: true, stdio: 'ignore' })`;
		const script = `require('node:child_process').${spawned}.unref()`;
		const parent = spawn(process.execPath, ['-e', script], {
			env: { ...process.env, [RUN_MARK]: mark },
			stdio: 'ignore',
		});
		await once(parent, 'exit');
		const marked = () => leftovers(mark).filter(({ pid }) => pid !== stranger.pid);
		await vi.waitFor(() => expect(marked()).toHaveLength(1), 5000);

		expect(leftovers(mark).map(({ pid }) => pid)).toContain(stranger.pid);
		const ended = await endLeftovers(mark, 0);
		expect(ended).toHaveLength(2);
		await vi.waitFor(() => expect(leftovers(mark)).toEqual([]), 5000);
	});

	it('gives what is about to end the time for it', async () => {
		spawn(process.execPath, ['-e', 'setTimeout(() => {}, 300)'], { stdio: 'ignore' });
		expect(await endLeftovers(randomUUID(), 30_000)).toEqual([]);
	});
});
