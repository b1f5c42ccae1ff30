import type { Duplex } from 'node:stream';
import { generate, type IConnackPacket, type ISubscription, type Packet } from 'mqtt-packet';
import { type DialOptions, dial } from './address.ts';
import { type ConnectOptions, connectPacket } from './connect-packet.ts';
import { PacketStream } from './packet-stream.ts';
import { refusalOf } from './refusals.ts';

/** What the remote allows, from its CONNACK. */
export interface Allowed {
	sessionPresent: boolean;
	/** Most unacknowledged messages. */
	inFlight: number;
	/** Largest packet, in bytes. */
	packetSize: number;
	/** Highest QoS. */
	qos: 0 | 1 | 2;
	retain: boolean;
}

/** Thrown when the remote refuses the CONNECT. */
export class RefusedError extends Error {
	/** Whether the remote may accept another protocol version, or a CONNECT without the bridge bit. */
	readonly isVersion: boolean;
	constructor(message: string, isVersion: boolean) {
		super(message);
		this.isVersion = isVersion;
	}
}

/** Default of Receive Maximum (MQTT 5 section 3.2.2.3.3). */
const DEFAULT_IN_FLIGHT = 65_535;
/** An answer is checked this many times before it is overdue. */
const ANSWER_CHECKS = 4;
/** The connection counts as dead after this multiple of keepAlive, as for a server (MQTT 3.1.1 section 3.1.2.10). */
const DEAD_AFTER_FACTOR = 1.5;

/** One MQTT connection to a remote broker, from CONNACK to its end. Its owner handles the messages. */
export class RemoteConnection {
	readonly allowed: Allowed;
	/** Resolves with the reason when the connection has ended. */
	readonly closed: Promise<string>;
	readonly #packets: PacketStream;
	readonly #stream: Duplex;
	readonly #version: 4 | 5;
	readonly #answers = new Map<string, (packet: Packet) => void>();
	/** How long to wait for SUBACK or UNSUBACK, in ms; time spent paused by `hold` does not count. */
	readonly #answerMs: number;
	#keepAlive: NodeJS.Timeout | undefined;
	#receivedAt = performance.now();
	#sentAt = performance.now();
	#lastId = 0;
	#onPacket: (packet: Packet) => void = () => undefined;
	#end: (reason: string) => void = () => undefined;

	private constructor(
		stream: Duplex,
		version: 4 | 5,
		connack: IConnackPacket,
		packets: PacketStream,
		{ keepAliveMs, answerMs }: { keepAliveMs: number; answerMs: number },
	) {
		this.#answerMs = answerMs;
		this.#stream = stream;
		this.#version = version;
		this.#packets = packets;
		const { receiveMaximum, maximumPacketSize, maximumQoS, retainAvailable, serverKeepAlive } =
			connack.properties ?? {};
		this.allowed = {
			sessionPresent: connack.sessionPresent,
			inFlight: receiveMaximum ?? DEFAULT_IN_FLIGHT,
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
		packets.onEnd = (reason) => this.#end(reason);
		this.#startKeepAlive(serverKeepAlive === undefined ? keepAliveMs : serverKeepAlive * 1000);
	}

	/**
	 * Connects to a broker; resolves when it has accepted.
	 * @throws RefusedError when the broker refuses, Error when it cannot be reached or `signal` aborts
	 */
	static async open(to: DialOptions, options: ConnectOptions, signal: AbortSignal): Promise<RemoteConnection> {
		const stream = await dial(to, signal);
		const packets = new PacketStream(stream, options.protocol, options.maxPacketSize);
		const giveUp = AbortSignal.any([signal, AbortSignal.timeout(to.timeoutMs)]);
		try {
			const connack = await new Promise<IConnackPacket>((resolve, reject) => {
				giveUp.addEventListener(
					'abort',
					() => reject(new Error(signal.aborted ? 'stopped' : `no CONNACK within ${to.timeoutMs} ms`)),
					{ once: true },
				);
				packets.onEnd = (reason) => reject(new RefusedError(`before CONNACK: ${reason}`, true));
				packets.listen((packet) => {
					// Packets that arrive together with the CONNACK wait for the next listener.
					packets.listen(undefined);
					if (packet.cmd === 'connack') resolve(packet);
					else reject(new Error(`${packet.cmd} instead of CONNACK`));
				});
				stream.write(generate(connectPacket(options), { protocolVersion: options.protocol }));
			});
			const refused = refusalOf(connack);
			if (refused) throw new RefusedError(refused.message, refused.isVersion);
			return new RemoteConnection(stream, options.protocol, connack, packets, {
				keepAliveMs: options.keepAliveMs,
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
	 * Sets the listener, which gets all packets from the first on, except answers to `subscribe`, `unsubscribe` and
	 * `ping`. Call it once.
	 */
	listen(onPacket: (packet: Packet) => void): void {
		this.#onPacket = onPacket;
		this.#packets.listen((packet) => this.#received(packet));
	}

	/** Writes a packet. When it returns false, wait for `drained` before the next. */
	send(packet: Packet): boolean {
		return this.sendBytes(generate(packet, { protocolVersion: this.#version }));
	}

	/** Like `send`, for a packet that is encoded already. */
	sendBytes(bytes: Buffer): boolean {
		if (this.#stream.destroyed) return true;
		this.#sentAt = performance.now();
		return this.#stream.write(bytes);
	}

	/** Resolves when the socket has room for more, or the connection has ended. */
	async drained(): Promise<void> {
		if (!this.#stream.writableNeedDrain || this.#stream.destroyed) return;
		await Promise.race([new Promise<void>((resolve) => this.#stream.once('drain', resolve)), this.closed]);
	}

	/** Pauses and resumes reading; while paused, TCP slows the remote down. */
	hold(on: boolean): void {
		if (on) this.#stream.pause();
		else this.#stream.resume();
	}

	/** @throws Error when the broker rejects a subscription or does not answer */
	async subscribe(subscriptions: ISubscription[]): Promise<void> {
		if (subscriptions.length === 0) return;
		const answer = await this.#ask({ cmd: 'subscribe', messageId: this.#nextId(), subscriptions }, 'suback');
		const granted = 'granted' in answer ? (answer.granted as number[]) : [];
		const refused = subscriptions.filter((_, index) => (granted[index] ?? 0x80) >= 0x80);
		if (refused.length > 0)
			throw new Error(`the remote rejects the subscription to ${refused.map(({ topic }) => topic).join(', ')}`);
	}

	/** @throws Error when the broker does not answer */
	async unsubscribe(unsubscriptions: string[]): Promise<void> {
		if (unsubscriptions.length > 0)
			await this.#ask({ cmd: 'unsubscribe', messageId: this.#nextId(), unsubscriptions }, 'unsuback');
	}

	/** Resolves when the broker has answered. @throws Error when the connection ends before */
	async ping(): Promise<void> {
		await this.#ask({ cmd: 'pingreq' }, 'pingresp');
	}

	/** Ends the connection with a DISCONNECT, so that the broker does not publish the will. */
	async end(reason: string): Promise<void> {
		this.send({ cmd: 'disconnect', reasonCode: 0 });
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, 500);
			this.#stream.end(() => {
				clearTimeout(timer);
				resolve();
			});
		});
		this.#end(reason);
	}

	/** Ends the connection at once. */
	abort(reason: string): void {
		this.#end(reason);
	}

	#received(packet: Packet): void {
		this.#receivedAt = performance.now();
		const key = `${packet.cmd} ${packet.messageId ?? 0}`;
		const onAnswer = this.#answers.get(key);
		if (onAnswer) {
			this.#answers.delete(key);
			onAnswer(packet);
		} else if (packet.cmd === 'disconnect') {
			this.#end(`the remote ended the connection: ${refusalOf(packet)?.message ?? 'without a reason'}`);
		} else this.#onPacket(packet);
	}

	/** Sends a packet and resolves with its answer. @throws Error when the connection ends before */
	async #ask(packet: Packet, answer: Packet['cmd']): Promise<Packet> {
		const key = `${answer} ${packet.messageId ?? 0}`;
		const answered = new Promise<Packet>((resolve) => this.#answers.set(key, resolve));
		this.send(packet);
		let checks = 0;
		// Without this we would wait forever for a broker that still answers pings. Pings have their own limit, keepAlive.
		const timer = setInterval(() => {
			if (!this.#stream.isPaused()) checks++;
			if (checks >= ANSWER_CHECKS && answer !== 'pingresp')
				this.#end(`no ${answer.toUpperCase()} within ${this.#answerMs} ms`);
		}, this.#answerMs / ANSWER_CHECKS);
		try {
			return await Promise.race([
				answered,
				this.closed.then((reason) => {
					throw new Error(reason);
				}),
			]);
		} finally {
			clearInterval(timer);
		}
	}

	/** The next packet id for SUBSCRIBE or UNSUBSCRIBE. Messages use the ids above RESERVED_IDS. */
	#nextId(): number {
		this.#lastId = (this.#lastId % RESERVED_IDS) + 1;
		return this.#lastId;
	}

	#startKeepAlive(ms: number): void {
		if (ms <= 0) return;
		this.#keepAlive = setInterval(() => {
			const now = performance.now();
			if (now - this.#receivedAt > ms * DEAD_AFTER_FACTOR)
				this.#end(`the remote was silent for ${Math.round((now - this.#receivedAt) / 1000)} s`);
			else if (now - Math.min(this.#receivedAt, this.#sentAt) >= ms / 2) void this.ping().catch(() => undefined);
		}, ms / 4);
	}
}

/** Packet ids up to this one are for SUBSCRIBE and UNSUBSCRIBE. */
const RESERVED_IDS = 15;
