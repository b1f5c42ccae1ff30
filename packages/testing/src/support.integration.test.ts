import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { launchChromium } from './chromium.ts';
import { startMosquitto } from './mosquitto.ts';
import { freePort } from './ports.ts';
import { start } from './processes.ts';

const running = (pid: number) => existsSync(`/proc/${pid}`);

function accepts(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	});
}

describe('freePort', () => {
	it('never gives the same port twice', async () => {
		const ports = await Promise.all(Array.from({ length: 50 }, freePort));
		expect(new Set(ports).size).toBe(50);
	});
});

describe('start', () => {
	it('resolves with the match of the ready line, and stops on SIGTERM', async () => {
		const script =
			"process.on('SIGTERM', () => process.exit(7)); console.log('ready on 17'); setInterval(() => {}, 1000)";
		const child = await start(process.execPath, { args: ['-e', script], ready: /ready on (\d+)/ });
		expect(child.ready[1]).toBe('17');
		expect(await child.stop()).toEqual({ code: 7, signal: null });
	});

	it('rejects with the output of a process that ended before it was ready', async () => {
		const script = "console.error('no such disk'); process.exit(3)";
		await expect(start(process.execPath, { args: ['-e', script], ready: /ready/ })).rejects.toThrow(
			/ended \(3\)[\s\S]*no such disk/,
		);
	});

	it('kills a process that does not become ready in time', async () => {
		const script = 'console.log(process.pid); setInterval(() => {}, 1000)';
		const error: Error = await start(process.execPath, { args: ['-e', script], ready: /ready/, timeoutMs: 2000 }).then(
			() => expect.unreachable(),
			(reason) => reason,
		);
		expect(error.message).toContain('did not say /ready/');
		const pid = Number(/--- stdout\n(\d+)/.exec(error.message)?.[1]);
		expect(pid).toBeGreaterThan(0);
		expect(running(pid)).toBe(false);
	});

	it.runIf(process.platform === 'linux')('ends a child whose parent was killed -9', async () => {
		const parent = await start(process.execPath, {
			args: [
				'--input-type=module-typescript',
				'-e',
				`import { start } from ${JSON.stringify(new URL('./processes.ts', import.meta.url).href)};
				const child = await start(process.execPath, { args: ['-e', 'setInterval(() => {}, 1000)'] });
				console.log('child ' + child.pid);
				setInterval(() => {}, 1000);`,
			],
			ready: /child (\d+)/,
		});
		const pid = Number(parent.ready[1]);
		expect(running(pid)).toBe(true);
		await parent.kill();
		await vi.waitFor(() => expect(running(pid)).toBe(false), 5000);
	});
});

describe('startMosquitto', () => {
	it('accepts connections once it resolves, again after a restart, and never after a stop', async () => {
		const broker = await startMosquitto({ config: 'persistence true\npersistence_location {dir}/' });
		onTestFinished(() => broker.stop());
		expect(await accepts(broker.port)).toBe(true);
		await broker.kill();
		expect(await accepts(broker.port)).toBe(false);
		await broker.restart();
		expect(await accepts(broker.port)).toBe(true);
		await broker.stop();
		expect(await accepts(broker.port)).toBe(false);
	});

	it("rejects with Mosquitto's own words for a bad configuration", async () => {
		await expect(startMosquitto({ config: 'no_such_option 1' })).rejects.toThrow(/no_such_option/);
	});
});

describe('launchChromium', () => {
	it('opens a page and leaves no process', async () => {
		const chromium = await launchChromium();
		const page = await chromium.context.newPage();
		await page.setContent('<title>hall</title>');
		expect(await page.title()).toBe('hall');
		await chromium.close();
		expect(page.isClosed()).toBe(true);
	});
});
