import { SerialPort } from 'serialport';
import { LineSplitter } from '../framing/framing.ts';
import { serialLink } from '../links/serial.ts';
import { createNullModem, type NullModem } from '../null-modem.ts';
import type { DeviceReading } from '../reading.ts';
import type { Peer } from './peer.ts';

export interface SerialPeer extends Peer {
	readonly modem: NullModem;
	/** Lines that were not a reading. */
	readonly garbage: string[];
	/** Decides the answer to a reading; undefined means no answer. Only an `ACK …` counts as accepted. */
	answer: (reading: DeviceReading) => string | undefined;
	/** Called with each line that is not a reading; its result is written as the answer. */
	onOther?: (line: string) => string | undefined;
}

/**
 * Reads lines at the host's end of a null modem and writes `ACK <seq>`. While it is stopped nobody has the port open.
 */
export async function serialPeer(): Promise<SerialPeer> {
	const modem = await createNullModem();
	let port: SerialPort | undefined;
	const peer: SerialPeer = {
		modem,
		accepted: [],
		garbage: [],
		answer: ({ seq }) => `ACK ${seq}`,
		link: (onFrame) => serialLink({ path: modem.a, ...(onFrame && { onFrame }) }),
		async start() {
			const opened = await open(modem.b);
			const lines = new LineSplitter(64 * 1024);
			const write = (text: string | undefined) => text !== undefined && opened.isOpen && opened.write(`${text}\n`);
			opened.on('data', (chunk: Buffer) => {
				for (const line of lines.push(chunk)) {
					const reading = parse(line);
					if (!reading) {
						peer.garbage.push(line);
						write(peer.onOther?.(line));
						continue;
					}
					const answer = peer.answer(reading);
					if (answer?.startsWith('ACK')) peer.accepted.push(reading);
					write(answer);
				}
			});
			port = opened;
		},
		async stop() {
			const closed = port;
			port = undefined;
			if (closed?.isOpen) await new Promise<void>((resolve) => closed.close(() => resolve()));
		},
		async close() {
			await peer.stop();
			await modem.close();
		},
	};
	await peer.start();
	return peer;
}

function open(path: string): Promise<SerialPort> {
	return new Promise((resolve, reject) => {
		const port = new SerialPort({ path, baudRate: 115_200 }, (error) => (error ? reject(error) : resolve(port)));
		port.on('error', () => {});
	});
}

function parse(line: string): DeviceReading | undefined {
	// U+FFFD replaces bytes that are not UTF-8; no reading of these tests contains it.
	if (line.includes('\uFFFD')) return undefined;
	try {
		const value = JSON.parse(line) as DeviceReading;
		return typeof value?.seq === 'number' ? value : undefined;
	} catch {
		return undefined;
	}
}
