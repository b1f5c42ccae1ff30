/** One MQTT connection between the socket and the broker: checks what comes in, bounds what goes out. */
import type { Duplex } from 'node:stream';
import { PublishLane } from '../lane/publish-lane.ts';
import { OwnBlocks } from '../packets/own-bytes.ts';
import { PacketGuard } from '../packets/packet-guard.ts';
import { RULES, type Rule } from '../packets/rules.ts';
import type { MqttLimits } from './limits.ts';
import { SentMessages } from './sent-messages.ts';

interface ConnectionParts {
	stream: Duplex;
	/** The client's network address, empty where it is not known. */
	address: string;
	limits: MqttLimits;
	/** Called once, when the connection is about to be ended for breaking a rule. */
	onCut: (rule: Rule) => void;
}

/** Up to this many bytes count as being on their way to the client, and not as waiting. */
const NOT_WAITING_BYTES = 4096;

/**
 * Stands between the bytes of one client and the broker, in both directions:
 *
 *   client ─▶ PacketGuard ─▶ PublishLane ─▶ broker    invalid packets never reach the broker, nor do most readings
 *   client ◀─ limit ◀─────────────────────── broker    unread data waits up to a limit; no other client waits for it
 *
 * It hooks into `read` and `write` of the stream that the broker uses. A stream of its own would cost a tenth of the
 * rate.
 */
export class MqttConnection {
	readonly stream: Duplex;
	readonly address: string;
	readonly #limits: MqttLimits;
	readonly #onCut: (rule: Rule) => void;
	readonly #guard: PacketGuard;
	/** Takes the readings that need no broker. */
	readonly lane = new PublishLane(() => this.#readOn());
	readonly #sent = new SentMessages(() => this.lane.answered());
	readonly #waiting = new OwnBlocks();
	/**
	 * Whether the client's session has an unacknowledged message with this identifier from an earlier connection. Set
	 * once the broker has created its client.
	 */
	isUnacknowledged: (packetId: number) => boolean = () => false;
	readonly #write: (chunk: Buffer | string, ...rest: unknown[]) => boolean;
	#isCut = false;
	/** Since when we wait for the rest of an incomplete packet, with all that arrived already read. */
	#waitingSince: number | undefined;

	constructor({ stream, address, limits, onCut }: ConnectionParts) {
		this.stream = stream;
		this.address = address;
		this.#limits = limits;
		this.#onCut = onCut;
		this.#write = stream.write.bind(stream) as (chunk: Buffer | string, ...rest: unknown[]) => boolean;
		this.#guard = new PacketGuard(limits.packet, (type, id) => this.#sent.has(type, id) || this.isUnacknowledged(id));
	}

	/** Hooks into the stream. Call it before the broker gets the stream. */
	watch(): void {
		const { stream } = this;
		const read = stream.read.bind(stream);
		stream.read = (size) => {
			for (;;) {
				// Node's own call with 0 only makes the stream fill its buffer.
				if (this.#isCut || (this.lane.isBusy && size !== 0)) return null;
				const chunk: Buffer | null = read(size);
				if (!chunk) return null;
				const broken = this.#guard.inspect(chunk);
				if (broken) {
					this.cut(broken);
					return null;
				}
				const rest = this.lane.pass(chunk);
				if (rest) return rest;
			}
		};
		stream.write = ((chunk: Buffer | string, ...rest: [BufferEncoding?, (() => void)?]) => {
			if (this.#isCut) return true;
			this.#sent.inspect(
				typeof chunk === 'string' ? Buffer.from(chunk, typeof rest[0] === 'string' ? rest[0] : 'utf8') : chunk,
			);
			this.#limitUnread(this.#write(typeof chunk === 'string' ? chunk : this.#owned(chunk), ...rest));
			// Never false: the broker would make publishers wait until this client has read.
			return true;
		}) as Duplex['write'];
	}

	/** The keep-alive of the client's CONNECT, in seconds; 0: none. */
	get keepAlive(): number {
		return this.#guard.keepAlive;
	}

	/** Has the broker read again. While messages of the lane are under way it finds nothing to read, and stops trying. */
	#readOn(): void {
		if (!this.#isCut && !this.stream.destroyed) this.stream.emit('readable');
	}

	/** Copies data that will wait: a few bytes would keep the larger buffer they are part of, and defeat the limit. */
	#owned(chunk: Buffer): Buffer {
		if (this.unread > NOT_WAITING_BYTES) return this.#waiting.copy(chunk);
		this.#waiting.release();
		return chunk;
	}

	/** Writes bytes of the gateway itself, such as PUBACKs; they must hold no message. */
	write(bytes: Buffer): void {
		if (!this.#isCut && !this.stream.destroyed && !this.stream.writableEnded) this.#limitUnread(this.#write(bytes));
	}

	/** Bytes that wait for the client to read them. */
	get unread(): number {
		return this.stream.writableLength;
	}

	/** Whether the client is behind with reading, so that it gets no messages of QoS 0 for now. */
	get isBehind(): boolean {
		return this.unread > this.#limits.dropQos0Above;
	}

	/** Ends the connection if the current packet takes too long. `now` is monotonic, in ms. */
	tick(now: number): void {
		// Bytes in the read buffer arrived in time; it is the gateway that has not read them yet.
		if (!this.#guard.inPacket || this.stream.readableLength > 0) this.#waitingSince = undefined;
		else if (this.#waitingSince === undefined) this.#waitingSince = now;
		else if (now - this.#waitingSince > this.#limits.packetTimeoutMs) this.cut(RULES.slowPacket);
	}

	/** Ends the connection for breaking `rule`, after sending the rule's answer, if it has one. */
	cut(rule: Rule): void {
		if (this.#isCut) return;
		const { stream } = this;
		this.#onCut(rule);
		if (rule.answer && !stream.destroyed) {
			this.#write(rule.answer);
			this.#isCut = true;
			stream.end(() => stream.destroy());
			// A client that does not read the answer must not keep the connection open.
			const timer = setTimeout(() => stream.destroy(), this.#limits.packetTimeoutMs).unref();
			stream.once('close', () => clearTimeout(timer));
		} else {
			this.#isCut = true;
			stream.destroy();
		}
	}

	#limitUnread(hasRoom: boolean): void {
		if (!hasRoom && this.unread > this.#limits.maxUnread) this.cut(RULES.unread);
	}
}
