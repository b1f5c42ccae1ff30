import type { Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import type { Job } from './job.ts';
import { connectMqtt, packetReader } from './mqtt.ts';
import { sensorId, seqAt, topicOf } from './reading.ts';
import { ReceivedReadings } from './received-readings.ts';

/** Topics begin with this many bytes; those of some shapes go on after the sensor. */
const TOPIC_LENGTH = topicOf(sensorId(0)).length;
const PUBLISH = 3;
const SUBACK = 9;

/** Subscribes to all readings, acknowledges those of QoS 1, and counts what it receives. */
export class Subscriber {
	readonly readings = new ReceivedReadings();
	readonly #socket: Socket;

	private constructor(socket: Socket) {
		this.#socket = socket;
	}

	/** Resolves when the broker has confirmed the subscription. */
	static async start(job: Job, qos: 0 | 1, onError: (error: Error) => void): Promise<Subscriber> {
		const socket = await connectMqtt(job, 'bench-subscriber');
		const subscriber = new Subscriber(socket);
		socket.on('error', onError);
		await new Promise<void>((resolve) => {
			let acknowledgements: number[] = [];
			const read = packetReader((type, flags, data, from, to) => {
				if (type === SUBACK) return resolve();
				if (type !== PUBLISH) return;
				const topicEnd = from + 2 + ((data[from]! << 8) | data[from + 1]!);
				const acknowledged = (flags & 6) !== 0;
				if (acknowledged) acknowledgements.push(0x40, 2, data[topicEnd]!, data[topicEnd + 1]!);
				// The sensor's number, as in s-017.
				const digits = from + 2 + TOPIC_LENGTH - 3;
				const sensor = (data[digits]! - 48) * 100 + (data[digits + 1]! - 48) * 10 + data[digits + 2]! - 48;
				const payload = topicEnd + (acknowledged ? 2 : 0);
				subscriber.readings.add(sensor, seqAt(data, payload, to - payload));
			});
			socket.on('data', (chunk: Buffer) => {
				read(chunk);
				if (acknowledgements.length === 0) return;
				socket.write(Buffer.from(acknowledgements));
				acknowledgements = [];
			});
			socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'telemetry/#', qos }] }));
		});
		return subscriber;
	}

	close(): void {
		this.#socket.destroy();
	}
}
