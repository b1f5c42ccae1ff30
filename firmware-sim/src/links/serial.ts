/** A device's link to the gateway over a serial line. */
import { SerialPort } from 'serialport';
import { createEncoder, type FramingName, LineSplitter, parseReply } from '../framing/framing.ts';
import type { DeviceReading } from '../reading.ts';
import {
	CLOSE_TIMEOUT_MS,
	type Connection,
	type Credentials,
	connectionEnd,
	type Link,
	type OnCommand,
	OPEN_TIMEOUT_MS,
	parseCommand,
	type Verdict,
	verdictForError,
	withTimeout,
} from './link.ts';

export interface SerialLinkOptions {
	/** The device's end of the line. */
	path: string;
	baudRate?: number;
	/** Default jsonl. */
	framing?: FramingName;
	/** For jsonl and csv: each line ends in its CRC. Default false. */
	checksum?: boolean;
	/** The name with which the device identifies itself when asked. */
	name?: string;
	/** For a port that requires a token: the line `HELLO <deviceId> <token>` is sent first. */
	credentials?: Credentials;
	onCommand?: OnCommand;
	/** Returns the bytes to send in place of a frame, for faults. */
	onFrame?: (frame: Uint8Array) => Uint8Array;
}

/** The most bytes that may wait in the port while nobody reads the line. */
const MAX_BUFFERED_BYTES = 16 * 1024;
/** The most readings whose answers may be outstanding; older ones have been overwritten in the device's buffer. */
const MAX_UNANSWERED = 1024;
/** A refused reading may have been damaged on the line: only after this many refusals it counts as refused. */
const FINAL_REFUSALS = 3;
/** The longest line of the gateway is a command. */
const MAX_LINE_BYTES = 32 * 1024;
const COMMAND = 'CMD ';
const HELLO_EVERY_MS = 1_000;

/**
 * Sends one frame per reading; the line `ACK <seq>` acknowledges it. An answer names only the number, so all sensors of
 * the device must share one sequence of numbers.
 */
export function serialLink(options: SerialLinkOptions): Link {
	return { transport: 'serial', window: 32, open: () => open(options) };
}

async function open(options: SerialLinkOptions): Promise<Connection> {
	const {
		path,
		baudRate = 115_200,
		framing = 'jsonl',
		checksum,
		credentials,
		name,
		onCommand,
		onFrame = (frame) => frame,
	} = options;
	const encoder = createEncoder(framing, checksum);
	const port = new SerialPort({ path, baudRate, autoOpen: false, highWaterMark: MAX_BUFFERED_BYTES });
	const { closed, end } = connectionEnd();
	port.on('error', (error) => end(error.message));
	port.on('close', (error?: Error | null) => end(error?.message ?? 'the port was closed'));
	const opening = new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
	await withTimeout(OPEN_TIMEOUT_MS, `opening ${path}`, opening);

	const answers = new Answers();
	const lines = new LineSplitter(MAX_LINE_BYTES);
	let helloSentAt = Number.NEGATIVE_INFINITY;
	const sendHello = () => {
		const hello = credentials
			? `HELLO ${credentials.deviceId} ${credentials.token}`
			: name === undefined
				? undefined
				: `HELLO ${name}`;
		if (hello === undefined || performance.now() - helloSentAt < HELLO_EVERY_MS) return;
		helloSentAt = performance.now();
		port.write(Buffer.from(encoder.message(hello)));
	};
	const onCommandLine = (text: string) => {
		const command = parseCommand(text);
		if (command)
			onCommand?.(command, ({ outcome, detail = '' }) =>
				port.write(Buffer.from(encoder.message(`RESULT ${command.id} ${outcome} ${detail}`.trimEnd()))),
			);
	};
	port.on('data', (chunk: Buffer) => {
		for (const line of lines.push(chunk)) {
			// The gateway was restarted and no longer knows this device.
			if (line.startsWith('NAK HELLO') || line === 'HELLO?') sendHello();
			else if (line.startsWith(COMMAND)) onCommandLine(line.slice(COMMAND.length));
			else answers.onLine(line);
		}
	});
	if (encoder.preamble.length > 0) port.write(Buffer.from(encoder.preamble));
	sendHello();

	const close = async (reason: string) => {
		const done = new Promise<void>((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve()));
		await withTimeout(CLOSE_TIMEOUT_MS, `closing ${path}`, done).catch(() => {});
		end(reason);
	};
	return {
		closed,
		send: (reading) => {
			if (port.writableLength > MAX_BUFFERED_BYTES)
				return Promise.resolve({ outcome: 'later', reason: 'nobody reads the line' });
			const frame = onFrame(encoder.reading(reading));
			return new Promise((resolve, reject) => {
				answers.expect(reading, resolve);
				port.write(Buffer.from(frame), (error) => {
					if (error) reject(error);
				});
			});
		},
		close: () => close('switched off'),
		cut: (reason) => void close(reason),
	};
}

/** The readings that wait for an answer, by their sequence number. */
class Answers {
	readonly #waiting = new Map<number, ((verdict: Verdict) => void)[]>();
	readonly #refusals = new Map<number, number>();

	expect({ seq }: DeviceReading, resolve: (verdict: Verdict) => void): void {
		this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve]);
		for (const map of [this.#waiting, this.#refusals]) {
			const [oldest] = map.keys();
			if (map.size > MAX_UNANSWERED && oldest !== undefined) map.delete(oldest);
		}
	}

	onLine(line: string): void {
		const reply = parseReply(line);
		if (!reply) return;
		const waiting = this.#waiting.get(reply.seq) ?? [];
		this.#waiting.delete(reply.seq);
		const verdict = reply.kind === 'ack' ? this.#acknowledged(reply.seq) : this.#refused(reply.seq, reply.reason);
		for (const resolve of waiting) resolve(verdict);
	}

	#acknowledged(seq: number): Verdict {
		this.#refusals.delete(seq);
		return { outcome: 'acknowledged' };
	}

	#refused(seq: number, text: string): Verdict {
		const [code = '', ...message] = text.split(/[ :]+/);
		const verdict = verdictForError(code, message.join(' '));
		if (verdict.outcome !== 'refused') return verdict;
		const refusals = (this.#refusals.get(seq) ?? 0) + 1;
		this.#refusals.set(seq, refusals);
		if (refusals < FINAL_REFUSALS) return { outcome: 'later', reason: verdict.reason };
		this.#refusals.delete(seq);
		return verdict;
	}
}
