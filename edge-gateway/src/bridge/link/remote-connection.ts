import type { Duplex } from 'node:stream';
import {
	generate,
	type IConnackPacket,
	type IConnectPacket,
	type ISubscription,
	type Packet,
	parser,
} from 'mqtt-packet';
import { type DialOptions, dial } from './address.ts';
import { refusalOf } from './refusals.ts';

/** How a bridge introduces itself. */
export interface Introduction {
	clientId: string;
	clean: boolean;
	sessionExpiryMs: number;
	keepAliveMs: number;
	username: string | undefined;
	password: string | undefined;
	protocol: 4 | 5;
	/** With 3.1.1: the highest bit of the protocol level, which brokers such as Mosquitto take for "this is a bridge". */
	bridgeBit: boolean;
	maxPacketSize: number;
	will: { topic: string; payload: string } | undefined;
}

/** What the broker allows. */
export interface Allowed {
	sessionPresent: boolean;
	inFlight: number;
	packetSize: number;
	qos: 0 | 1 | 2;
	retain: boolean;
}

/** The broker refused the CONNECT. */
export class RefusedError extends Error {
	/** True where another protocol version, or no bridge bit, may be let in. */
	readonly version: boolean;
	constructor(message: string, version: boolean) {
		super(message);
		this.version = version;
	}
}

/** Messages of QoS 1 and 2 that the remote may send before it is acknowledged (MQTT 5 section 3.1.2.11.3). */
const RECEIVE_MAXIMUM = 200;
const MOST_IN_FLIGHT = 65_535;
/** It has two bytes (MQTT 3.1.1 section 3.1.2.10). */
const LONGEST_KEEP_ALIVE_S = 65_535;
/** How often is looked whether an answer is overdue, until it is. */
const LOOKS = 4;
/**
 * Of keepAlive: silence after which the connection counts as dead (as the server counts, MQTT 3.1.1 section 3.1.2.10).
 */
const PATIENCE = 1.5;

/** One MQTT connection to a remote broker, from CONNACK to its end. What packets mean is its owner's business. */
export class RemoteConnection {
	readonly allowed: Allowed;
	/** Resolves with the reason when the connection has ended. */
	readonly closed: Promise<string>;
	readonly #reader: Reader;
	readonly #stream: Duplex;
	readonly #version: 4 | 5;
	readonly #answers = new Map<string, (packet: Packet) => void>();
	/** For so long an answer to SUBSCRIBE or UNSUBSCRIBE is waited for, in ms, while what comes in is read. */
	readonly #answerMs: number;
	#keepAlive: NodeJS.Timeout | undefined;
	#heardAt = performance.now();
	#sentAt = performance.now();
	#lastId = 0;
	#onPacket: (packet: Packet) => void = () => undefined;
	#end: (reason: string) => void = () => undefined;

	private constructor(
		stream: Duplex,
		version: 4 | 5,
		connack: IConnackPacket,
		reader: Reader,
		{ keepAliveMs, answerMs }: { keepAliveMs: number; answerMs: number },
	) {
		this.#answerMs = answerMs;
		this.#stream = stream;
		this.#version = version;
		this.#reader = reader;
		const { receiveMaximum, maximumPacketSize, maximumQoS, retainAvailable, serverKeepAlive } =
			connack.properties ?? {};
		this.allowed = {
			sessionPresent: connack.sessionPresent,
			inFlight: receiveMaximum ?? MOST_IN_FLIGHT,
			packetSize: maximumPacketSize ?? Number.POSITIVE_INFINITY,
			qos: (maximumQoS ?? 2) as Allowed['qos'],
			retain: retainAvailable ?? true,
		};
		this.closed = new Promise((resolve) => {
			this.#end = (reason) => {
				clearInterval(this.#keepAlive);
				stream.destroy();
				resolve(reason);
			};
		});
		reader.onEnd = (reason) => this.#end(reason);
		this.#keepAliveEvery(serverKeepAlive === undefined ? keepAliveMs : serverKeepAlive * 1000);
	}

	/** Resolves when the broker has accepted. @throws RefusedError, or what went wrong on the way. */
	static async open(to: DialOptions, as: Introduction, signal: AbortSignal): Promise<RemoteConnection> {
		const stream = await dial(to, signal);
		const reader = new Reader(stream, as.protocol, as.maxPacketSize);
		const patience = AbortSignal.any([signal, AbortSignal.timeout(to.timeoutMs)]);
		try {
			const connack = await new Promise<IConnackPacket>((resolve, reject) => {
				patience.addEventListener(
					'abort',
					() => reject(new Error(signal.aborted ? 'stopped' : `no CONNACK within ${to.timeoutMs} ms`)),
					{
						once: true,
					},
				);
				reader.onEnd = (reason) => reject(new RefusedError(`before CONNACK: ${reason}`, true));
				reader.listen((packet) => {
					// What comes with the CONNACK waits for who listens next.
					reader.listen(undefined);
					if (packet.cmd === 'connack') resolve(packet);
					else reject(new Error(`${packet.cmd} instead of CONNACK`));
				});
				stream.write(generate(connectPacket(as), { protocolVersion: as.protocol }));
			});
			const refused = refusalOf(connack);
			if (refused) throw new RefusedError(refused.message, refused.version);
			return new RemoteConnection(stream, as.protocol, connack, reader, {
				keepAliveMs: as.keepAliveMs,
				answerMs: to.timeoutMs,
			});
		} catch (error) {
			stream.destroy();
			throw error;
		}
	}

	get version(): 4 | 5 {
		return this.#version;
	}

	/**
	 * Must be called once; `onPacket` then gets everything but the answers to `subscribe`, `unsubscribe` and `ping`, from
	 * the first packet on.
	 */
	listen(onPacket: (packet: Packet) => void): void {
		this.#onPacket = onPacket;
		this.#reader.listen((packet) => this.#received(packet));
	}

	/** Writes a packet. False: wait for `drained` before the next. */
	send(packet: Packet): boolean {
		return this.sendBytes(generate(packet, { protocolVersion: this.#version }));
	}

	/** As `send`, of a packet that is spelled already. */
	sendBytes(bytes: Buffer): boolean {
		if (this.#stream.destroyed) return true;
		this.#sentAt = performance.now();
		return this.#stream.write(bytes);
	}

	/** Resolves when the socket takes more, or has ended. */
	async drained(): Promise<void> {
		if (!this.#stream.writableNeedDrain || this.#stream.destroyed) return;
		await Promise.race([new Promise<void>((resolve) => this.#stream.once('drain', resolve)), this.closed]);
	}

	/** Stops and goes on reading: the remote is held back by TCP. */
	hold(on: boolean): void {
		if (on) this.#stream.pause();
		else this.#stream.resume();
	}

	/** @throws when the broker grants one of them not, or does not answer. */
	async subscribe(subscriptions: ISubscription[]): Promise<void> {
		if (subscriptions.length === 0) return;
		const answer = await this.#ask({ cmd: 'subscribe', messageId: this.#nextId(), subscriptions }, 'suback');
		const granted = 'granted' in answer ? (answer.granted as number[]) : [];
		const refused = subscriptions.filter((_, index) => (granted[index] ?? 0x80) >= 0x80);
		if (refused.length > 0)
			throw new Error(`the remote does not grant ${refused.map(({ topic }) => topic).join(', ')}`);
	}

	async unsubscribe(unsubscriptions: string[]): Promise<void> {
		if (unsubscriptions.length > 0)
			await this.#ask({ cmd: 'unsubscribe', messageId: this.#nextId(), unsubscriptions }, 'unsuback');
	}

	/** Resolves when the broker has answered. */
	async ping(): Promise<void> {
		await this.#ask({ cmd: 'pingreq' }, 'pingresp');
	}

	/** Says goodbye, so that the will is not published. */
	async end(reason: string): Promise<void> {
		this.send({ cmd: 'disconnect', reasonCode: 0 });
		await new Promise<void>((resolve) => {
			const done = setTimeout(resolve, 500);
			this.#stream.end(() => {
				clearTimeout(done);
				resolve();
			});
		});
		this.#end(reason);
	}

	/** Ends it at once, for what the other side did. */
	abort(reason: string): void {
		this.#end(reason);
	}

	#received(packet: Packet): void {
		this.#heardAt = performance.now();
		const key = `${packet.cmd} ${packet.messageId ?? 0}`;
		const answered = this.#answers.get(key);
		if (answered) {
			this.#answers.delete(key);
			answered(packet);
		} else if (packet.cmd === 'disconnect') {
			this.#end(`the remote ended the connection: ${refusalOf(packet)?.message ?? 'without a reason'}`);
		} else this.#onPacket(packet);
	}

	async #ask(packet: Packet, answer: Packet['cmd']): Promise<Packet> {
		const key = `${answer} ${packet.messageId ?? 0}`;
		const answered = new Promise<Packet>((resolve) => this.#answers.set(key, resolve));
		this.send(packet);
		let read = 0;
		// A remote that answers pings would else be waited for for ever. Only the time counts in which it is listened to
		// (see `hold`).
		const patience = setInterval(() => {
			if (!this.#stream.isPaused()) read++;
			if (read >= LOOKS && answer !== 'pingresp') this.#end(`no ${answer.toUpperCase()} within ${this.#answerMs} ms`);
		}, this.#answerMs / LOOKS);
		try {
			return await Promise.race([
				answered,
				this.closed.then((reason) => {
					throw new Error(reason);
				}),
			]);
		} finally {
			clearInterval(patience);
		}
	}

	/** For SUBSCRIBE and UNSUBSCRIBE; one at a time is enough, and messages have ids of their own (see packetIds). */
	#nextId(): number {
		this.#lastId = (this.#lastId % RESERVED_IDS) + 1;
		return this.#lastId;
	}

	#keepAliveEvery(ms: number): void {
		if (ms <= 0) return;
		this.#keepAlive = setInterval(() => {
			const now = performance.now();
			if (now - this.#heardAt > ms * PATIENCE)
				this.#end(`the remote was silent for ${Math.round((now - this.#heardAt) / 1000)} s`);
			else if (now - Math.min(this.#heardAt, this.#sentAt) >= ms / 2) void this.ping().catch(() => undefined);
		}, ms / 4);
	}
}

/** Packet ids below this one are for SUBSCRIBE and UNSUBSCRIBE. */
const RESERVED_IDS = 15;

/** Bytes of a connection as packets. A packet that is larger than allowed, or none, ends it. */
class Reader {
	#listener: ((packet: Packet) => void) | undefined;
	readonly #early: Packet[] = [];
	onEnd: (reason: string) => void = () => undefined;

	constructor(stream: Duplex, protocolVersion: 4 | 5, maxPacketSize: number) {
		let unparsed = 0;
		const packets = parser({ protocolVersion });
		packets.on('packet', (packet) => {
			unparsed = 0;
			if (this.#listener) this.#listener(packet);
			else this.#early.push(packet);
		});
		packets.on('error', (error: Error) => this.onEnd(`the remote sent what is no MQTT: ${error.message}`));
		stream.on('data', (bytes: Buffer) => {
			unparsed += bytes.length;
			packets.parse(bytes);
			// What is left of the last chunk is counted in full: the bound is exceeded by one chunk at most.
			if (unparsed > maxPacketSize + bytes.length)
				this.onEnd(`the remote sends a packet of more than ${maxPacketSize} bytes`);
		});
		stream.on('error', (error) => this.onEnd(error.message));
		stream.on('close', () => this.onEnd('the remote closed the connection'));
	}

	/** Who gets the packets; without anybody they wait. */
	listen(listener: ((packet: Packet) => void) | undefined): void {
		this.#listener = listener;
		if (listener) for (const packet of this.#early.splice(0)) listener(packet);
	}
}

function connectPacket(as: Introduction): Packet {
	const packet: IConnectPacket & { bridgeMode?: boolean } = {
		cmd: 'connect',
		protocolId: 'MQTT',
		protocolVersion: as.protocol,
		clientId: as.clientId,
		clean: as.clean,
		keepalive: Math.min(Math.ceil(as.keepAliveMs / 1000), LONGEST_KEEP_ALIVE_S),
		...(as.username !== undefined && { username: as.username }),
		...(as.password !== undefined && { password: Buffer.from(as.password) }),
		...(as.will && { will: { ...as.will, qos: 1, retain: true } }),
		...(as.protocol === 4 && as.bridgeBit && { bridgeMode: true }),
		...(as.protocol === 5 && {
			properties: {
				receiveMaximum: RECEIVE_MAXIMUM,
				maximumPacketSize: as.maxPacketSize,
				...(!as.clean && { sessionExpiryInterval: Math.min(Math.ceil(as.sessionExpiryMs / 1000), 0xffffffff) }),
			},
		}),
	};
	return packet;
}
