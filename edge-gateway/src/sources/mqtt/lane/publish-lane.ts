/** Takes the PUBLISH packets that need no broker out of the bytes of a connection. */
import { PUBLISH, SUBSCRIBE, UNSUBSCRIBE } from '../packets/packet-types.ts';

/** Gets the messages of a connection that need no broker. */
export interface LaneTaker {
	/** Called before the messages of a chunk are offered. False: they all go to the broker. */
	begin(): boolean;
	/**
	 * Takes a message of QoS 0 or 1 that is not retained. The topic is in `bytes` from `topic` to `topicEnd`, the payload
	 * from `payload` to `end`. `packetId` is 0 for QoS 0. `PublishLane.settled` is to be called once the message is done,
	 * but not before `end` was. False: this message and all that follow go to the broker.
	 */
	take(bytes: Buffer, topic: number, topicEnd: number, payload: number, end: number, packetId: number): boolean;
	/** Called after the last message of a chunk was offered. */
	end(): void;
}

/** The longest incomplete packet that is kept here; a longer one goes to the broker as it comes. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Part of the keep-alive after which the broker gets a message: it ends a connection that it hears nothing of. */
const KEEP_ALIVE_SHARE = 4;

/**
 * Stands between the packet guard and the broker of one connection. Whole packets at the beginning of a chunk that the
 * taker wants go to it; from the first other packet on, all go to the broker until nothing of that is open.
 *
 *   chunk ─▶ PacketGuard ─▶ PublishLane ─┬─ leading readings ─▶ taker
 *                                        └─ the rest ─────────▶ broker
 */
export class PublishLane {
	/** Called when all messages that the taker took are done: the connection may be read again. */
	readonly #onSettled: () => void;
	/** Monotonic, in ms. */
	readonly #now: () => number;
	#taker: LaneTaker | undefined;
	#keepAliveMs = 0;
	/** When the broker last got a whole packet; monotonic, in ms. */
	#handedAt = 0;
	/** Messages that the taker has, and that are not done. */
	#underWay = 0;
	/** Messages that the broker has, and that are not done. */
	#inBroker = 0;
	/** SUBSCRIBE and UNSUBSCRIBE that the broker has not answered. */
	#unanswered = 0;
	/** Bytes that are still to come of a packet that the broker has the beginning of. */
	#owed = 0;
	/** The beginning of a packet, kept until the rest has come. */
	#tail: Buffer | undefined;
	/** Bounds of the packet that `#readHeader` has found: after its fixed header, and after its last byte. */
	#start = 0;
	#end = 0;

	constructor(onSettled: () => void, now: () => number = () => performance.now()) {
		this.#onSettled = onSettled;
		this.#now = now;
	}

	/** Opens the lane once the client has signed in. `keepAlive` is that of its CONNECT, in seconds; 0: none. */
	open(taker: LaneTaker, keepAlive: number): void {
		this.#taker = taker;
		this.#keepAliveMs = keepAlive * 1000;
		this.#handedAt = this.#now();
	}

	/** Whether messages of the lane are under way, so that the connection must not be read. */
	get isBusy(): boolean {
		return this.#underWay > 0;
	}

	/** Notes that messages which the taker took are done. */
	settled(count: number): void {
		this.#underWay -= count;
		if (this.#underWay === 0) this.#onSettled();
	}

	/** Notes that the broker handles a message. */
	brokerTook(): void {
		this.#inBroker++;
	}

	/** Notes that the broker is done with a message. */
	brokerDid(): void {
		this.#inBroker--;
	}

	/** Notes a SUBACK or UNSUBACK of the broker. */
	answered(): void {
		if (this.#unanswered > 0) this.#unanswered--;
	}

	/** Takes what the guard has let pass; not to be called while `isBusy`. Returns what the broker is to get of it. */
	pass(chunk: Buffer): Buffer | undefined {
		const bytes = this.#tail ? Buffer.concat([this.#tail, chunk]) : chunk;
		this.#tail = undefined;
		const from = this.#owed === 0 && this.#isFree() ? this.#offer(bytes, this.#taker!) : 0;
		const end = this.#handOver(bytes, from);
		if (end === from) return undefined;
		return from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
	}

	#isFree(): boolean {
		if (!this.#taker || this.#inBroker > 0 || this.#unanswered > 0) return false;
		return this.#keepAliveMs === 0 || this.#now() - this.#handedAt < this.#keepAliveMs / KEEP_ALIVE_SHARE;
	}

	/** Offers the leading messages to the taker. Returns the position after those it took. */
	#offer(bytes: Buffer, taker: LaneTaker): number {
		let at = 0;
		if (!taker.begin()) return at;
		while (at < bytes.length) {
			const first = bytes[at]!;
			if (!mayTake(first) || !this.#readHeader(bytes, at) || this.#end > bytes.length) break;
			const start = this.#start;
			const topicEnd = start + 2 + bytes[start]! * 256 + bytes[start + 1]!;
			const isAcknowledged = (first & 6) !== 0;
			const payload = isAcknowledged ? topicEnd + 2 : topicEnd;
			const packetId = isAcknowledged ? bytes[topicEnd]! * 256 + bytes[topicEnd + 1]! : 0;
			const end = this.#end;
			if (!taker.take(bytes, start + 2, topicEnd, payload, end, packetId)) break;
			this.#underWay++;
			at = end;
		}
		taker.end();
		return at;
	}

	/**
	 * Counts the packets that the broker gets, from `from` on. Returns where they end: the beginning of a packet that the
	 * lane may take, or of which the length is not known, is kept.
	 */
	#handOver(bytes: Buffer, from: number): number {
		let at = from;
		if (this.#owed > 0) {
			const skipped = Math.min(this.#owed, bytes.length - at);
			this.#owed -= skipped;
			at += skipped;
			if (this.#owed === 0) this.#handedAt = this.#now();
		}
		const before = at;
		while (at < bytes.length) {
			const first = bytes[at]!;
			const isKnown = this.#readHeader(bytes, at);
			const missing = isKnown ? this.#end - bytes.length : 0;
			if (!isKnown || (missing > 0 && this.#taker && mayTake(first) && this.#end - at <= MAX_KEPT_BYTES)) {
				this.#tail = Buffer.from(bytes.subarray(at));
				break;
			}
			if (first >> 4 === SUBSCRIBE || first >> 4 === UNSUBSCRIBE) this.#unanswered++;
			if (missing > 0) this.#owed = missing;
			at = Math.min(this.#end, bytes.length);
		}
		if (at > before && this.#owed === 0) this.#handedAt = this.#now();
		return at;
	}

	/** Finds the bounds of the packet at `at`. False while its length is incomplete; the guard has checked the rest. */
	#readHeader(bytes: Buffer, at: number): boolean {
		let length = 0;
		let factor = 1;
		for (let next = at + 1; next < bytes.length; next++) {
			const byte = bytes[next]!;
			length += (byte & 127) * factor;
			if (byte < 128) {
				this.#start = next + 1;
				this.#end = next + 1 + length;
				return true;
			}
			factor *= 128;
		}
		return false;
	}
}

/** Whether a packet with this first byte is a PUBLISH of QoS 0 or 1 that is not retained. */
function mayTake(first: number): boolean {
	return first >> 4 === PUBLISH && (first & 5) === 0;
}
