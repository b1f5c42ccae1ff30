import { SerialPort } from 'serialport';
import { createEncoder, type FramingName, LineSplitter, parseReply } from '../framing/framing.ts';
import type { DeviceReading } from '../reading.ts';
import {
	CLOSE_TIMEOUT_MS,
	type Connection,
	type Credentials,
	commandIn,
	ending,
	type Link,
	type OnCommand,
	OPEN_TIMEOUT_MS,
	type Verdict,
	verdictOfError,
	within,
} from './link.ts';

export interface SerialLinkOptions {
	/** The device's end of the line. */
	path: string;
	baudRate?: number;
	/** Default jsonl. */
	framing?: FramingName;
	/** Of jsonl and csv: each line ends in its CRC. Default false. */
	checksum?: boolean;
	/** What the device says it is when it is asked. */
	name?: string;
	/** For a port that asks for a token: the line `HELLO <deviceId> <token>` comes first. */
	credentials?: Credentials;
	onCommand?: OnCommand;
	/** What goes over the wire instead of a frame. */
	onFrame?: (frame: Uint8Array) => Uint8Array;
}

/** Bytes that may wait in the port while nobody takes them. */
const MOST_WAITING_BYTES = 16 * 1024;
/** Readings whose answer may still come; older ones were overwritten in the device's buffer. */
const MOST_UNANSWERED = 1024;
/** The line may have damaged a reading that the gateway then found wrong; so often it must say so. */
const REFUSALS_BELIEVED = 3;
/** Of the gateway: the longest is a command. */
const LONGEST_LINE = 32 * 1024;
const COMMAND = 'CMD ';
const HELLO_EVERY_MS = 1_000;

/**
 * One frame for each reading; the line `ACK <seq>` answers it. As an answer names only a number, all sensors of the
 * device must draw their numbers from one sequence.
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
	const port = new SerialPort({ path, baudRate, autoOpen: false, highWaterMark: MOST_WAITING_BYTES });
	const { closed, end } = ending();
	port.on('error', (error) => end(error.message));
	port.on('close', (error?: Error | null) => end(error?.message ?? 'the port was closed'));
	const opening = new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
	await within(OPEN_TIMEOUT_MS, `opening ${path}`, opening);

	const answers = new Answers();
	const lines = new LineSplitter(LONGEST_LINE);
	let saidHello = Number.NEGATIVE_INFINITY;
	const sayHello = () => {
		const hello = credentials
			? `HELLO ${credentials.deviceId} ${credentials.token}`
			: name === undefined
				? undefined
				: `HELLO ${name}`;
		if (hello === undefined || performance.now() - saidHello < HELLO_EVERY_MS) return;
		saidHello = performance.now();
		port.write(Buffer.from(encoder.word(hello)));
	};
	const obey = (text: string) => {
		const command = commandIn(text);
		if (command)
			onCommand?.(command, ({ outcome, detail = '' }) =>
				port.write(Buffer.from(encoder.word(`RESULT ${command.id} ${outcome} ${detail}`.trimEnd()))),
			);
	};
	port.on('data', (chunk: Buffer) => {
		for (const line of lines.push(chunk)) {
			// The gateway was restarted, and does not know us any more.
			if (line.startsWith('NAK HELLO') || line === 'HELLO?') sayHello();
			else if (line.startsWith(COMMAND)) obey(line.slice(COMMAND.length));
			else answers.take(line);
		}
	});
	if (encoder.preamble.length > 0) port.write(Buffer.from(encoder.preamble));
	sayHello();

	const close = async (reason: string) => {
		const done = new Promise<void>((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve()));
		await within(CLOSE_TIMEOUT_MS, `closing ${path}`, done).catch(() => {});
		end(reason);
	};
	return {
		closed,
		send: (reading) => {
			if (port.writableLength > MOST_WAITING_BYTES)
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

/** The readings that wait for an answer, by their number. */
class Answers {
	readonly #waiting = new Map<number, ((verdict: Verdict) => void)[]>();
	readonly #refusals = new Map<number, number>();

	expect({ seq }: DeviceReading, resolve: (verdict: Verdict) => void): void {
		this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve]);
		for (const map of [this.#waiting, this.#refusals]) {
			const [oldest] = map.keys();
			if (map.size > MOST_UNANSWERED && oldest !== undefined) map.delete(oldest);
		}
	}

	take(line: string): void {
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
		const verdict = verdictOfError(code, message.join(' '));
		if (verdict.outcome !== 'refused') return verdict;
		const refusals = (this.#refusals.get(seq) ?? 0) + 1;
		this.#refusals.set(seq, refusals);
		if (refusals < REFUSALS_BELIEVED) return { outcome: 'later', reason: verdict.reason };
		this.#refusals.delete(seq);
		return verdict;
	}
}
