import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { ROOT } from '@crowdvision/testing/root';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('npm run dev', () => {
	let dataDir: string;
	let url: string;
	let dev: Running;

	beforeAll(async () => {
		dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-dev-'));
		const port = await freePort();
		url = `http://127.0.0.1:${port}`;
		dev = await startNode('scripts/dev.ts', {
			args: ['--port', String(port), '--strictPort'],
			env: { PORT: '0', MQTT_PORT: '0', DATA_DIR: dataDir, DEMO: '0', REDIS_URL: undefined, GATEWAY_CONFIG: undefined },
			ready: /^ready http[\s\S]*Local:/m,
			timeoutMs: 60_000,
		});
	}, 90_000);
	afterAll(async () => {
		await dev?.stop();
		await rm(dataDir, { recursive: true, force: true });
	});

	const get = async (path: string) => {
		const answer = await fetch(url + path);
		return [answer.status, await answer.text()] as const;
	};

	it('serves the page from its sources, with hot reload', async () => {
		expect(await get('/')).toEqual([200, expect.stringContaining('/@vite/client')]);
		expect(await get('/src/App.vue')).toEqual([200, expect.stringContaining('import.meta.hot')]);
	});

	it('proxies everything else to the services', async () => {
		expect(await get('/twin/metrics')).toEqual([200, expect.stringContaining('peopleCount')]);
		expect(await get('/socket.io/?EIO=4&transport=polling')).toEqual([200, expect.stringContaining('"sid"')]);
	});

	it('restarts the services on their port when a source file changes', async () => {
		const now = new Date();
		await utimes(join(ROOT, 'settings.ts'), now, now);
		await dev.waitFor(/settings\.ts has changed: restarting the services\n[\s\S]*^ready http/m);
		expect((await get('/twin/metrics'))[0]).toBe(200);
	});

	it('ends with everything it started on Ctrl-C', async () => {
		expect(await dev.kill('SIGINT')).toEqual({ code: 0, signal: null });
		await expect(fetch(url)).rejects.toThrow();
		await expect(fetch(dev.ready[0]!.split(' ')[1]!)).rejects.toThrow();
	});
});
