import { type ChildProcess, execFile, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SerialPort } from 'serialport';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createNullModem, type NullModem, type NullModemOptions } from './null-modem.ts';
import { tempDir } from './testing/temp-dir.ts';

const MIB = 1024 * 1024;

describe('a null modem', () => {
	it('carries 1 MiB of random bytes in both directions at once, unchanged', async () => {
		const modem = await aModem();
		const [device, host] = [await open(modem.a), await open(modem.b)];
		const [there, back] = [randomBytes(MIB), randomBytes(MIB)];
		const received = Promise.all([read(host, MIB), read(device, MIB)]);
		device.write(there);
		host.write(back);
		const [atHost, atDevice] = await received;
		expect(atHost.equals(there)).toBe(true);
		expect(atDevice.equals(back)).toBe(true);
	});

	it('passes every byte value raw: no echo, no line editing, no flow control', async () => {
		const modem = await aModem();
		const [device, host] = [await open(modem.a), await open(modem.b)];
		const every = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
		const echoed: Buffer[] = [];
		device.on('data', (chunk: Buffer) => echoed.push(chunk));
		const received = read(host, 512);
		device.write(every);
		device.write(every);
		expect(await received).toEqual(Buffer.concat([every, every]));
		const answer = read(device, 3);
		host.write(Buffer.from([1, 2, 3]));
		await answer;
		expect(Buffer.concat(echoed)).toEqual(Buffer.from([1, 2, 3]));
	});

	it('keeps bytes that nobody reads yet, and loses none of them', async () => {
		const modem = await aModem();
		const [device, host] = [await open(modem.a), await open(modem.b)];
		const data = randomBytes(8 * MIB);
		const written = new Promise<void>((resolve, reject) =>
			device.write(data, (error) => (error ? reject(error) : resolve())),
		);
		// Older versions of util-linux block the writer instead of keeping what it writes; both lose nothing.
		await Promise.race([written, setTimeout(500)]);
		expect((await read(host, data.length)).equals(data)).toBe(true);
	});

	it('hangs up for the host when it is unplugged, and returns under the same path', async () => {
		const modem = await aModem();
		const [device, host] = [await open(modem.a), await open(modem.b)];
		const seen: Buffer[] = [];
		host.on('data', (chunk: Buffer) => seen.push(chunk));
		const hungUp = once(host, 'close');
		await modem.unplug();
		await hungUp;
		expect(existsSync(modem.b)).toBe(false);
		expect(device.isOpen).toBe(true);
		// Far more than a pseudo-terminal holds: the device is not blocked by the empty socket.
		await new Promise<void>((resolve, reject) =>
			device.write(randomBytes(MIB), (error) => (error ? reject(error) : resolve())),
		);
		device.drain();

		await modem.replug();
		const again = await open(modem.b);
		const received = read(again, 5);
		device.write('hello');
		const bytes = await received;
		expect(bytes.subarray(-5).toString()).toBe('hello');
		expect(Buffer.concat(seen).length).toBe(0);
	});

	it('ends without writing into the line, and leaves no process and no path', async () => {
		const before = await childrenOf(process.pid);
		const modem = await createNullModem();
		const device = await open(modem.a);
		const host = await open(modem.b);
		const seen: Buffer[] = [];
		for (const port of [device, host]) port.on('data', (chunk: Buffer) => seen.push(chunk));
		const closed = Promise.all([once(device, 'close'), once(host, 'close')]);
		await modem.close();
		await closed;
		expect(Buffer.concat(seen).toString()).toBe('');
		expect(await childrenOf(process.pid)).toEqual(before);
		expect(existsSync(modem.a) || existsSync(modem.b)).toBe(false);
		await modem.close();
	});

	it('replaces a link that a killed process left, and nothing that is not a link', async () => {
		const dir = await tempDir();
		await symlink('/dev/null', join(dir, 'door'));
		const modem = await aModem({ dir, names: ['door', 'gateway'] });
		expect(await readlink(join(dir, 'door'))).toMatch(/^\/dev\/pts\/\d+$/);
		expect(modem.b).toBe(join(dir, 'gateway'));

		const before = await childrenOf(process.pid);
		await writeFile(join(dir, 'taken'), 'precious');
		await expect(createNullModem({ dir, names: ['other', 'taken'] })).rejects.toThrow(/EEXIST/);
		expect(await readFile(join(dir, 'taken'), 'utf8')).toBe('precious');
		expect(existsSync(join(dir, 'other'))).toBe(false);
		expect(await childrenOf(process.pid)).toEqual(before);
	});

	it('leaves no process when its parent is killed', async () => {
		const dir = await tempDir();
		const parent = await aParent(dir);
		const helpers = await descendantsOf(parent.pid as number);
		expect(helpers.length).toBeGreaterThanOrEqual(4);
		parent.kill('SIGKILL');
		await once(parent, 'exit');
		await vi.waitFor(async () => expect(await stillRunning(helpers)).toEqual([]), { timeout: 10_000 });
	});

	it.runIf(process.getuid?.() === 0)('works for a user who is not root', async () => {
		const script = `
			const { createNullModem } = await import(${JSON.stringify(new URL('./null-modem.ts', import.meta.url).href)});
			const { SerialPort } = await import(${JSON.stringify(import.meta.resolve('serialport'))});
			const modem = await createNullModem();
			const [device, host] = await Promise.all([modem.a, modem.b].map((path) => new Promise((resolve, reject) => {
				const port = new SerialPort({ path, baudRate: 115200 }, (error) => error ? reject(error) : resolve(port));
			})));
			host.once('data', async (data) => {
				console.log(process.getuid(), String(data));
				await modem.close();
				process.exit(0);
			});
			device.write('ok');`;
		const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
			uid: 65_534,
			gid: 65_534,
			cwd: '/',
		});
		expect(stdout).toBe('65534 ok\n');
	});
});

async function aModem(options?: NullModemOptions): Promise<NullModem> {
	const modem = await createNullModem(options);
	onTestFinished(() => modem.close());
	return modem;
}

function open(path: string): Promise<SerialPort> {
	return new Promise((resolve, reject) => {
		const port = new SerialPort({ path, baudRate: 115_200 }, (error) => (error ? reject(error) : resolve(port)));
		port.on('error', () => {});
		onTestFinished(() => new Promise<void>((done) => (port.isOpen ? port.close(() => done()) : done())));
	});
}

function read(port: SerialPort, length: number): Promise<Buffer> {
	return new Promise((resolve) => {
		const chunks: Buffer[] = [];
		let got = 0;
		const onData = (chunk: Buffer) => {
			chunks.push(chunk);
			got += chunk.length;
			if (got < length) return;
			port.off('data', onData);
			resolve(Buffer.concat(chunks));
		};
		port.on('data', onData);
	});
}

/** A process that has a null modem open and then waits. */
async function aParent(dir: string): Promise<ChildProcess> {
	const child = fork(fileURLToPath(new URL('./testing/hold-null-modem.ts', import.meta.url)), [dir], { execArgv: [] });
	onTestFinished(() => {
		child.kill('SIGKILL');
	});
	await once(child, 'message');
	return child;
}

/** [parent, state] of every process, from /proc. */
async function processTable(): Promise<Map<number, { parent: number; state: string }>> {
	const table = new Map<number, { parent: number; state: string }>();
	for (const entry of await readdir('/proc')) {
		if (!/^\d+$/.test(entry)) continue;
		const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		if (fields.length > 2) table.set(Number(entry), { state: fields[0]!, parent: Number(fields[1]) });
	}
	return table;
}

const childrenOf = async (pid: number) =>
	[...(await processTable())].filter(([, { parent }]) => parent === pid).map(([child]) => child);

async function descendantsOf(pid: number): Promise<number[]> {
	const children = await childrenOf(pid);
	return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

/** Those of `pids` that still run; one that ended and waits to be reaped by init does not. */
async function stillRunning(pids: number[]): Promise<number[]> {
	const table = await processTable();
	return pids.filter((pid) => table.has(pid) && table.get(pid)?.state !== 'Z');
}
