import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import type { Job } from './job.ts';
import { FIRST_SEQ, ReadingWriter, topicOf } from './reading.ts';
import type { Sender, SenderEvents } from './sender.ts';

const CONNACK = 2;
const PUBACK = 4;
const PINGRESP = 13;
const PINGREQ = Buffer.from([0xc0, 0]);
const LAST_PACKET_ID = 65_535;

/**
 * Splits a stream into MQTT packets. Calls `handle` with the packet's type and flags, the buffer that holds it, and the
 * begin and end of its body in that buffer.
 */
export function packetReader(
	handle: (type: number, flags: number, data: Buffer, from: number, to: number) => void,
): (chunk: Buffer) => void {
	let rest: Buffer | undefined;
	return (chunk) => {
		const data = rest ? Buffer.concat([rest, chunk]) : chunk;
		let at = 0;
		for (;;) {
			let length = 0;
			let shift = 0;
			let from = at + 1;
			let complete = false;
			while (from < data.length && shift <= 21) {
				const byte = data[from++]!;
				length |= (byte & 127) << shift;
				shift += 7;
				if (byte < 128) {
					complete = true;
					break;
				}
			}
			if (!complete || from + length > data.length) break;
			handle(data[at]! >> 4, data[at]! & 15, data, from, from + length);
			at = from + length;
		}
		rest = at < data.length ? data.subarray(at) : undefined;
	};
}

/** Connects; resolves when the broker has accepted. Rejects if it refuses. */
export function connectMqtt(
	job: Pick<Job, 'host' | 'port'>,
	clientId: string,
	username?: string,
	password?: string,
): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = connect({ host: job.host, port: job.port, noDelay: true });
		socket.once('error', reject);
		socket.once('connect', () => {
			const credentials = username && password ? { username, password: Buffer.from(password) } : {};
			socket.write(
				generate({
					cmd: 'connect',
					protocolId: 'MQTT',
					protocolVersion: 4,
					clientId,
					clean: true,
					keepalive: 0,
					...credentials,
				}),
			);
		});
		const read = packetReader((type, _flags, data, from) => {
			socket.off('data', read);
			if (type === CONNACK && data[from + 1] === 0) resolve(socket);
			else reject(new Error(`the broker refused ${clientId}: CONNACK ${data[from + 1]}`));
		});
		socket.on('data', read);
	});
}

/** Publishes readings over MQTT in packets built by hand, so that the generator costs little. */
export class MqttSender implements Sender {
	readonly sensor: string;
	acknowledged = 0;
	readonly refused = 0;
	readonly #socket: Socket;
	readonly #job: Job;
	readonly #events: SenderEvents;
	readonly #writer: ReadingWriter;
	/** Fixed header and topic. */
	readonly #head: Buffer;
	readonly #size: number;
	readonly #sentAt = new Float64Array(LAST_PACKET_ID + 1);
	/** Sequence number by packet id; 0 once it is acknowledged. */
	readonly #seqs = new Uint32Array(LAST_PACKET_ID + 1);
	#packetId = 0;
	#inFlight = 0;
	/** QoS 0 has no acknowledgement: a PINGREQ follows each write, and its answer shows that the broker has read it. */
	readonly #pings: number[] = [];

	constructor(socket: Socket, sensor: string, job: Job, events: SenderEvents) {
		this.sensor = sensor;
		this.#socket = socket;
		this.#job = job;
		this.#events = events;
		this.#writer = new ReadingWriter(sensor);
		const topic = Buffer.from(topicOf(sensor));
		const body = 2 + topic.length + (job.qos > 0 ? 2 : 0) + this.#writer.length;
		if (body < 128 || body > 16_383)
			throw new Error(`a PUBLISH of ${body} bytes does not fit the two length bytes of this sender`);
		this.#head = Buffer.concat([
			Buffer.from([0x30 | (job.qos << 1), (body & 127) | 128, body >> 7, 0, topic.length]),
			topic,
		]);
		this.#size = 3 + body;
		socket.on('data', packetReader(this.#onPacket));
		socket.on('error', (error) => events.onError(error));
		socket.on('close', () => events.onError(new Error(`${sensor}: the connection was closed`)));
	}

	get sent(): number {
		return this.#writer.next - FIRST_SEQ;
	}

	get available(): number {
		return this.#job.window - this.#inFlight;
	}

	send(messages: number): void {
		const { qos } = this.#job;
		const chunk = Buffer.allocUnsafe(messages * this.#size);
		const now = Date.now();
		const sentAt = performance.now();
		for (let index = 0, at = 0; index < messages; index++, at += this.#size) {
			this.#head.copy(chunk, at);
			let body = at + this.#head.length;
			if (qos > 0) {
				this.#packetId = (this.#packetId % LAST_PACKET_ID) + 1;
				this.#sentAt[this.#packetId] = sentAt;
				this.#seqs[this.#packetId] = this.#writer.next;
				chunk[body++] = this.#packetId >> 8;
				chunk[body++] = this.#packetId & 255;
			}
			this.#writer.write(chunk, body, now);
		}
		this.#inFlight += messages;
		this.#socket.write(chunk);
		if (qos === 0) {
			this.#pings.push(messages);
			this.#socket.write(PINGREQ);
		}
	}

	#onPacket = (type: number, _flags: number, data: Buffer, from: number): void => {
		if (type === PUBACK) {
			const id = (data[from]! << 8) | data[from + 1]!;
			if (this.#seqs[id] === 0) return;
			this.#seqs[id] = 0;
			this.#events.latency.record(performance.now() - this.#sentAt[id]!);
			this.#acknowledge(1);
		} else if (type === PINGRESP) {
			this.#acknowledge(this.#pings.shift() ?? 0);
		}
	};

	#scheduled = false;
	/** Reports once for all acknowledgements of a chunk that messages may be sent again. */
	#acknowledge(messages: number): void {
		this.#inFlight -= messages;
		this.acknowledged += messages;
		if (this.#scheduled) return;
		this.#scheduled = true;
		queueMicrotask(() => {
			this.#scheduled = false;
			this.#events.onAvailable(this);
		});
	}

	pending(): number[] {
		if (this.#job.qos === 0) return Array.from({ length: this.#inFlight }, (_, index) => this.#writer.next - 1 - index);
		return [...this.#seqs].filter((seq) => seq !== 0);
	}

	close(): void {
		this.#socket.removeAllListeners('close');
		this.#socket.destroy();
	}
}
