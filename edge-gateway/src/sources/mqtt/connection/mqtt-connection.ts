import type { Duplex } from 'node:stream';
import { RULES, type Rule } from '../packets/mqtt-rules.ts';
import { OwnBlocks } from '../packets/own-bytes.ts';
import { PacketGuard } from '../packets/packet-guard.ts';
import type { MqttLimits } from './mqtt-limits.ts';
import { SentMessages } from './sent-messages.ts';

interface ConnectionParts {
	stream: Duplex;
	/** The client's, as far as it is known. */
	address: string;
	limits: MqttLimits;
	/** Told once, before the connection goes. */
	onCut: (rule: Rule) => void;
}

/** Less than this is on its way, and does not wait. */
const LITTLE = 4096;

/**
 * What stands between the bytes of one client and the broker, in both directions:
 *
 *   client ─▶ PacketGuard ─▶ broker        what the standard forbids never gets there
 *   client ◀─ bound ◀─────── broker        what the client does not read waits up to a bound, and holds up nobody else
 *
 * It looks on where the broker reads and writes, and is no stream of its own: that would cost a tenth of the rate.
 */
export class MqttConnection {
	readonly stream: Duplex;
	readonly address: string;
	readonly #limits: MqttLimits;
	readonly #onCut: (rule: Rule) => void;
	readonly #guard: PacketGuard;
	readonly #sent = new SentMessages();
	readonly #waiting = new OwnBlocks();
	/**
	 * Whether the session knows a message of this identifier from an earlier connection. Set when it is known whose it
	 * is.
	 */
	isUnacknowledged: (packetId: number) => boolean = () => false;
	readonly #write: (chunk: Buffer | string, ...rest: unknown[]) => boolean;
	#cut = false;
	/** When the packet that is not complete began, or something of it came last while we did not read. */
	#waitingSince: number | undefined;

	constructor({ stream, address, limits, onCut }: ConnectionParts) {
		this.stream = stream;
		this.address = address;
		this.#limits = limits;
		this.#onCut = onCut;
		this.#write = stream.write.bind(stream) as (chunk: Buffer | string, ...rest: unknown[]) => boolean;
		this.#guard = new PacketGuard(limits.packet, (type, id) => this.#sent.has(type, id) || this.isUnacknowledged(id));
	}

	/** Begins to look on. Call it before the broker has the stream. */
	watch(): void {
		const { stream } = this;
		const read = stream.read.bind(stream);
		stream.read = (size) => {
			if (this.#cut) return null;
			const chunk: Buffer | null = read(size);
			const wrong = chunk && this.#guard.look(chunk);
			if (!wrong) return chunk;
			this.cut(wrong);
			return null;
		};
		stream.write = ((chunk: Buffer | string, ...rest: [BufferEncoding?, (() => void)?]) => {
			if (this.#cut) return true;
			this.#sent.look(
				typeof chunk === 'string' ? Buffer.from(chunk, typeof rest[0] === 'string' ? rest[0] : 'utf8') : chunk,
			);
			this.#bounded(this.#write(typeof chunk === 'string' ? chunk : this.#toWait(chunk), ...rest));
			// Never false: the broker would hold up whoever publishes until this client has read.
			return true;
		}) as Duplex['write'];
	}

	/**
	 * What waits owns its memory: a few bytes would keep as much as they were cut from, and the bound would say nothing.
	 */
	#toWait(chunk: Buffer): Buffer {
		if (this.unread > LITTLE) return this.#waiting.keep(chunk);
		this.#waiting.end();
		return chunk;
	}

	/** Writes what is ours and no message. */
	write(bytes: Buffer): void {
		if (!this.#cut && !this.stream.destroyed && !this.stream.writableEnded) this.#bounded(this.#write(bytes));
	}

	/** Bytes that wait for the client to read them. */
	get unread(): number {
		return this.stream.writableLength;
	}

	/** Whether the client is behind with reading: then it gets nothing of QoS 0 for a while. */
	get isBehind(): boolean {
		return this.unread > this.#limits.dropAbove;
	}

	/** Looks at how long the present packet takes. `now` is monotonic, in ms. */
	tick(now: number): void {
		// What lies in the buffer came in time, and it is us who have not read it yet.
		if (!this.#guard.inPacket || this.stream.readableLength > 0) this.#waitingSince = undefined;
		else if (this.#waitingSince === undefined) this.#waitingSince = now;
		else if (now - this.#waitingSince > this.#limits.packetTimeoutMs) this.cut(RULES.slowPacket);
	}

	/** Ends the connection, after the answer that the rule has. */
	cut(rule: Rule): void {
		if (this.#cut) return;
		const { stream } = this;
		this.#onCut(rule);
		if (rule.answer && !stream.destroyed) {
			this.#write(rule.answer);
			this.#cut = true;
			stream.end(() => stream.destroy());
			// Whoever does not read its answer is not waited for.
			const timer = setTimeout(() => stream.destroy(), this.#limits.packetTimeoutMs).unref();
			stream.once('close', () => clearTimeout(timer));
		} else {
			this.#cut = true;
			stream.destroy();
		}
	}

	#bounded(hasRoom: boolean): void {
		if (!hasRoom && this.unread > this.#limits.mostUnread) this.cut(RULES.unread);
	}
}
