import { startNode } from '@crowdvision/testing/processes';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../logger.ts';
import { Lifecycle } from './lifecycle.ts';

const newLifecycle = () => new Lifecycle(createLogger('test', 'silent'));

describe('Lifecycle', () => {
	it('closes parts in reverse order, each once, also when one of them fails to close', async () => {
		const lifecycle = newLifecycle();
		const closed: string[] = [];
		const close = (part: string) => {
			closed.push(part);
			if (part === 'bus') throw new Error('cannot close');
		};
		for (const part of ['log', 'bus']) expect(lifecycle.own(part, part, close)).toBe(part);
		lifecycle.own('http', { close: () => close('http') });
		await Promise.all([lifecycle.stop(), lifecycle.stop()]);
		expect(closed).toEqual(['http', 'bus', 'log']);
	});

	it('closes what was opened when opening fails half-way, then throws that error', async () => {
		const lifecycle = newLifecycle();
		const closed: string[] = [];
		const opening = lifecycle.stopOnFailure(async () => {
			lifecycle.own('log', 'log', (part) => void closed.push(part));
			throw new Error('the bus cannot be opened');
		});
		await expect(opening).rejects.toThrow('the bus cannot be opened');
		expect(closed).toEqual(['log']);
	});

	it('exits with 0 on SIGTERM once every part is closed', async () => {
		const running = await startNode('packages/service-kit/src/testing/stopping-process.ts', { ready: /^ready/m });
		expect(await running.stop()).toEqual({ code: 0, signal: null });
	});

	it('exits with 1 and says what may be redelivered when a part does not close in time', async () => {
		const running = await startNode('packages/service-kit/src/testing/stopping-process.ts', {
			args: ['never'],
			ready: /^ready/m,
		});
		expect(await running.stop()).toEqual({ code: 1, signal: null });
		expect(running.stderr()).toContain('will be redelivered at the next start');
	});

	it('exits with 130 at once on a second signal', async () => {
		const running = await startNode('packages/service-kit/src/testing/stopping-process.ts', {
			args: ['never'],
			ready: /^ready/m,
		});
		running.signal('SIGTERM');
		await running.waitFor(/"msg":"stopping"/);
		expect(await running.kill('SIGINT')).toEqual({ code: 130, signal: null });
	});
});
