import { onTestFinished, vi } from 'vitest';

const { setImmediate } = globalThis;
const PATIENCE_MS = 10_000;

/**
 * Puts timers and dates under the test's control, until it is finished; `vi.advanceTimersByTime` moves them on. Sockets
 * and promises go on by themselves: use `until` to wait for what they bring.
 */
export function fakeClock(): void {
	vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
	onTestFinished(() => void vi.useRealTimers());
}

/** Resolves when `condition` holds, while the fake clock stands still. Rejects after ten real seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
	const startedAt = performance.now();
	while (!condition()) {
		if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
		await new Promise((resume) => setImmediate(resume));
	}
}
