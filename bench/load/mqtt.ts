import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import type { Job } from './job.ts';
import { FIRST_SEQ, ReadingWriter, SHAPES, topicOf } from './reading.ts';
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

/** Writes the packets of one shape. */
interface PacketWriter {
	/** Fixed header and topic. */
	head: Buffer;
	writer: ReadingWriter;
	/** Of the whole packet, bytes. */
	size: number;
}

/** Publishes readings over MQTT in packets built by hand, so that the generator costs little. */
export class MqttSender implements Sender {
	readonly sensor: string;
	acknowledged = 0;
	readonly refused = 0;
	readonly #socket: Socket;
	readonly #job: Job;
	readonly #events: SenderEvents;
	/** One for each shape, which take turns. */
	readonly #packets: PacketWriter[];
	readonly #largest: number;
	#next = FIRST_SEQ;
	/** Fewer where a thousand connections have one message in flight each. */
	readonly #lastPacketId: number;
	readonly #sentAt: Float64Array;
	/** Sequence number by packet id; 0 once it is acknowledged. */
	readonly #seqs: Uint32Array;
	#packetId = 0;
	#inFlight = 0;
	/** QoS 0 has no acknowledgement: a PINGREQ follows each write, and its answer shows that the broker has read it. */
	readonly #pings: number[] = [];

	constructor(socket: Socket, sensor: string, job: Job, events: SenderEvents) {
		this.sensor = sensor;
		this.#socket = socket;
		this.#job = job;
		this.#events = events;
		const shapes = job.mixed ? SHAPES : SHAPES.slice(0, 1);
		this.#packets = shapes.map((shape) => {
			const writer = new ReadingWriter(sensor, shape);
			const topic = Buffer.from(topicOf(sensor) + shape.suffix);
			const body = 2 + topic.length + (job.qos > 0 ? 2 : 0) + writer.length;
			const length = body < 128 ? [body] : [(body & 127) | 128, body >> 7];
			const head = Buffer.concat([Buffer.from([0x30 | (job.qos << 1), ...length, 0, topic.length]), topic]);
			return { head, writer, size: 1 + length.length + body };
		});
		this.#largest = Math.max(...this.#packets.map(({ size }) => size));
		this.#lastPacketId = Math.min(LAST_PACKET_ID, job.window * 1000);
		this.#sentAt = new Float64Array(this.#lastPacketId + 1);
		this.#seqs = new Uint32Array(this.#lastPacketId + 1);
		socket.on('data', packetReader(this.#onPacket));
		socket.on('error', (error) => events.onError(error));
		socket.on('close', () => events.onError(new Error(`${sensor}: the connection was closed`)));
	}

	get sent(): number {
		return this.#next - FIRST_SEQ;
	}

	get available(): number {
		return this.#job.window - this.#inFlight;
	}

	send(messages: number): void {
		const { qos } = this.#job;
		const chunk = Buffer.allocUnsafe(messages * this.#largest);
		const now = Date.now();
		const sentAt = performance.now();
		let at = 0;
		for (let index = 0; index < messages; index++) {
			const { head, writer, size } = this.#packets[this.#next % this.#packets.length]!;
			head.copy(chunk, at);
			let body = at + head.length;
			if (qos > 0) {
				this.#packetId = (this.#packetId % this.#lastPacketId) + 1;
				this.#sentAt[this.#packetId] = sentAt;
				this.#seqs[this.#packetId] = this.#next;
				chunk[body++] = this.#packetId >> 8;
				chunk[body++] = this.#packetId & 255;
			}
			writer.next = this.#next++;
			writer.write(chunk, body, now);
			at += size;
		}
		this.#inFlight += messages;
		this.#socket.write(chunk.subarray(0, at));
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
			this.#events.onLatency(performance.now() - this.#sentAt[id]!);
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
		if (this.#job.qos === 0) return Array.from({ length: this.#inFlight }, (_, index) => this.#next - 1 - index);
		return [...this.#seqs].filter((seq) => seq !== 0);
	}

	close(): void {
		this.#socket.removeAllListeners('close');
		this.#socket.destroy();
	}
}
