import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, type Running, start } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { SerialPort } from 'serialport';
import { onTestFinished } from 'vitest';

/** A serial line made of two real pseudo-terminals, with a device at one end. */
export interface SerialLine {
	/** Path of the gateway's end, for gateway.yaml. */
	path: string;
	/** All lines that the gateway has written. */
	answers: string[];
	/** Sends lines, objects as JSON, each with a newline. Resolves when the terminal has taken them. */
	send(...lines: (string | object)[]): Promise<void>;
	sendBytes(bytes: Buffer): Promise<void>;
	/** Waits until `answers` contains a line, at index `from` or later. */
	answered(line: string, from?: number): Promise<void>;
	/** Unplugs the adapter: both ends vanish. */
	unplug(): Promise<void>;
	plug(): Promise<void>;
}

/**
 * Opens a line; closed after the test.
 * @param plugged whether it is plugged in from the beginning
 * @param deaf whether nothing reaches the device, as if it did not read
 */
export async function serialLine(plugged = true, deaf = false): Promise<SerialLine> {
	const socat = findProgram('socat');
	if (!socat) throw new Error('socat is not installed');
	const dir = mkdtempSync(join(tmpdir(), 'crowdvision-serial-'));
	const [device, host] = [join(dir, 'device'), join(dir, 'host')];
	const answers: string[] = [];
	let cable: Running | undefined;
	let port: SerialPort | undefined;
	const unplug = async () => {
		const [open, running] = [port, cable];
		port = cable = undefined;
		if (open?.isOpen) await new Promise<void>((resolve) => open.close(() => resolve()));
		await running?.stop();
	};
	const plug = async () => {
		cable = await start(socat, {
			args: ['-d', '-d', ...(deaf ? ['-u'] : []), `pty,raw,echo=0,link=${device}`, `pty,raw,echo=0,link=${host}`],
			ready: /starting data transfer loop/,
		});
		await waitFor('both ends', () => existsSync(device) && existsSync(host));
		const opened = new SerialPort({ path: device, baudRate: 115_200, autoOpen: false });
		// A gateway may hold the lock for a moment: it tries the port that was unplugged, whose number this end may now
		// have.
		await waitFor('the lock on the device end', async () => {
			await new Promise<void>((resolve, reject) => opened.open((error) => (error ? reject(error) : resolve())));
			return true;
		});
		opened.on('error', () => undefined);
		let rest = '';
		opened.on('data', (chunk: Buffer) => {
			const lines = (rest + chunk.toString('latin1')).split('\n');
			rest = lines.pop()!;
			answers.push(...lines);
		});
		port = opened;
	};
	onTestFinished(async () => {
		await unplug();
		rmSync(dir, { recursive: true, force: true });
	});
	if (plugged) await plug();
	const sendBytes = async (bytes: Buffer) => {
		if (!port) throw new Error('the device is not plugged in');
		const to = port;
		await new Promise<void>((resolve, reject) => to.write(bytes, (error) => (error ? reject(error) : resolve())));
	};
	return {
		path: host,
		answers,
		send: (...lines) =>
			sendBytes(
				Buffer.from(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')),
			),
		sendBytes,
		async answered(line, from = 0) {
			await waitFor(`the answer ${line}`, () => answers.indexOf(line, from) >= 0).catch((error: Error) => {
				throw new Error(`${error.message}; there were ${answers.slice(-10).join(', ') || 'none'}`, { cause: error });
			});
		},
		unplug,
		plug,
	};
}
