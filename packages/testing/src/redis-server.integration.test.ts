import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedis } from './redis-server.ts';
import { waitFor, within } from './wait.ts';

async function clientOf(url: string): Promise<Redis> {
	const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
	client.on('error', () => undefined);
	onTestFinished(() => client.disconnect());
	await client.connect();
	return client;
}

describe('startRedis', () => {
	it('resolves once it answers, keeps what it acknowledged through kill -9, and leaves nothing behind', async () => {
		const server = await startRedis({ appendonly: 'always' });
		onTestFinished(() => server.stop());
		const first = await clientOf(server.url);
		await first.set('key', 'value');
		const { pid } = server;
		await server.kill();
		await expect(clientOf(server.url)).rejects.toThrow();
		await server.restart();
		expect(server.pid).not.toBe(pid);
		expect(await (await clientOf(server.url)).get('key')).toBe('value');
		await server.stop();
		await expect(clientOf(server.url)).rejects.toThrow();
		expect(existsSync(server.dir)).toBe(false);
		expect(existsSync(`/proc/${server.pid}`)).toBe(false);
	});

	it('freezes and thaws', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const client = await clientOf(server.url);
		await server.kill('SIGSTOP');
		const answer = client.ping();
		expect(await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100, 'silence'))])).toBe('silence');
		await server.kill('SIGCONT');
		expect(await within('the answer', answer)).toBe('PONG');
	});

	it("rejects with Redis's own words for a bad argument", async () => {
		await expect(startRedis({ extra: ['--no-such-option', '1'] })).rejects.toThrow(/no-such-option/);
	});
});

describe('waitFor', () => {
	it('resolves with what the probe finds, also after errors', async () => {
		let calls = 0;
		const found = await waitFor('the third call', () => {
			if (++calls === 1) throw new Error('not yet');
			return calls === 3 ? { calls } : undefined;
		});
		expect(found).toEqual({ calls: 3 });
	});

	it("rejects naming what it waited for, and the probe's last error", async () => {
		const waiting = waitFor(
			'rain',
			() => {
				throw new Error('no cloud');
			},
			30,
		);
		await expect(waiting).rejects.toThrow('rain');
		await expect(waiting).rejects.toHaveProperty('cause.message', 'no cloud');
	});
});

describe('within', () => {
	it('rejects naming what hung', async () => {
		await expect(within('the river', new Promise(() => undefined), 20)).rejects.toThrow('the river');
		expect(await within('the stone', Promise.resolve(1))).toBe(1);
		await expect(within('the cliff', Promise.reject(new Error('fell')))).rejects.toThrow('fell');
	});
});
