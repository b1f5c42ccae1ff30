import { connect, type Socket } from 'node:net';
import type { Job } from './job.ts';
import { FIRST_SEQ, ReadingWriter } from './reading.ts';
import type { Sender, SenderEvents } from './sender.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const OPEN = '['.charCodeAt(0);
const CLOSE = ']'.charCodeAt(0);
const COMMA = ','.charCodeAt(0);

/** Posts readings over one persistent HTTP connection, one request at a time. */
export class HttpSender implements Sender {
	readonly sensor: string;
	acknowledged = 0;
	refused = 0;
	readonly #socket: Socket;
	readonly #batch: number;
	readonly #events: SenderEvents;
	readonly #writer: ReadingWriter;
	readonly #head: Buffer;
	readonly #size: number;
	#sentAt = 0;
	#inFlight: number[] = [];
	#rest: Buffer = Buffer.alloc(0);

	private constructor(socket: Socket, job: Job, sensor: string, token: string, events: SenderEvents) {
		this.sensor = sensor;
		this.#socket = socket;
		this.#batch = job.batch;
		this.#events = events;
		this.#writer = new ReadingWriter(sensor);
		const length = this.#batch === 1 ? this.#writer.length : this.#batch * (this.#writer.length + 1) + 1;
		this.#head = Buffer.from(
			`POST /ingest HTTP/1.1\r\nHost: ${job.host}:${job.port}\r\nAuthorization: Bearer ${token}\r\n` +
				`Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`,
		);
		this.#size = this.#head.length + length;
		socket.on('data', (chunk: Buffer) => this.#onData(chunk));
		socket.on('error', (error) => events.onError(error));
		socket.on('close', () => events.onError(new Error(`${sensor}: the connection was closed`)));
	}

	static start(job: Job, sensor: string, token: string, events: SenderEvents): Promise<HttpSender> {
		return new Promise((resolve, reject) => {
			const socket = connect({ host: job.host, port: job.port, noDelay: true }, () => {
				socket.off('error', reject);
				resolve(new HttpSender(socket, job, sensor, token, events));
			});
			socket.once('error', reject);
		});
	}

	get sent(): number {
		return this.#writer.next - FIRST_SEQ;
	}

	get available(): number {
		return this.#inFlight.length === 0 ? 1 : 0;
	}

	send(): void {
		const chunk = Buffer.allocUnsafe(this.#size);
		const now = Date.now();
		this.#head.copy(chunk);
		let at = this.#head.length;
		if (this.#batch > 1) chunk[at++] = OPEN;
		for (let index = 0; index < this.#batch; index++) {
			if (index > 0) chunk[at++] = COMMA;
			this.#inFlight.push(this.#writer.next);
			this.#writer.write(chunk, at, now);
			at += this.#writer.length;
		}
		if (this.#batch > 1) chunk[at] = CLOSE;
		this.#sentAt = performance.now();
		this.#socket.write(chunk);
	}

	#onData(chunk: Buffer): void {
		const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
		const headEnd = data.indexOf(END_OF_HEAD);
		const head = headEnd < 0 ? '' : data.toString('latin1', 0, headEnd);
		const length = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
		if (headEnd < 0 || data.length < headEnd + 4 + length) {
			this.#rest = data;
			return;
		}
		this.#rest = data.subarray(headEnd + 4 + length);
		this.#events.onLatency(performance.now() - this.#sentAt);
		if (head.startsWith('HTTP/1.1 202')) this.acknowledged += this.#inFlight.length;
		else this.refused += this.#inFlight.length;
		this.#inFlight = [];
		this.#events.onAvailable(this);
	}

	pending(): number[] {
		return [...this.#inFlight];
	}

	close(): void {
		this.#socket.removeAllListeners('close');
		this.#socket.destroy();
	}
}
