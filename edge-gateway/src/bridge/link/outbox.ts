import type { Cursor, Log, LogRecord } from '@crowdvision/log';
import { keepTrying, type Logger, Retry } from '@crowdvision/service-kit';
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet';
import { refusalOf } from '../remote/refusals.ts';
import type { RemoteConnection } from '../remote/remote-connection.ts';
import type { BridgeTally, DropReason } from './bridge-tally.ts';
import { type Outgoing, publishPacket, type Route } from './outgoing.ts';

/** `sent`: not answered yet. `received`: PUBREC came. `released`: PUBREL was sent. `done`: finished or dropped. */
type Stage = 'sent' | 'received' | 'released' | 'done';

interface Entry {
	offset: number;
	id: number;
	at: number;
	message: Outgoing;
	bytes: number;
	stage: Stage;
}

const BATCH_RECORDS = 200;
const BATCH_BYTES = 1024 * 1024;
const MAX_BYTES_IN_FLIGHT = 8 * 1024 * 1024;
/**
 * Most messages of QoS 2 in flight over MQTT 3.1.1, where the remote cannot announce its limit. Mosquitto (2.0.11)
 * takes 20 by default; it answers one more with PUBREC, but loses it and ends the connection.
 */
const MAX_QOS2_IN_FLIGHT = 20;

/**
 * Publishes the records of a log to a remote by a cursor, in order, with a bounded number of messages in flight. The
 * cursor moves past a message when the remote has it: after PUBACK or PUBREC, or at QoS 0 when it is written.
 *
 * The packet id of a message is derived from its offset, so that it is sent under the same id again after a kill -9: a
 * remote that kept the session then recognizes a message of QoS 2 that it already has (MQTT-4.3.3-2). For the same
 * reason PUBREL is sent only when the cursor past the message is on disk, and, after a start, once more for the
 * messages just before the cursor.
 */
export class Outbox {
	readonly #parts: OutboxParts;
	readonly #cursor: Cursor;
	/** Messages in flight, in order. */
	#entries: Entry[] = [];
	#bytes = 0;
	/** Offset of the next record to read. */
	#next: number;
	/** The position of the cursor at the start; undefined once the messages before it were released again. */
	#releaseBefore: number | undefined;
	#connection: RemoteConnection | undefined;
	#pumping: { stop: AbortController; done: Promise<void> } | undefined;
	#wake: () => void = () => undefined;
	#isFlushing = false;
	/** Entries that are not done. */
	#unfinished = 0;
	/** Records that were read from the log and not handled yet. */
	#unhandled = 0;
	/** When the last record that was handled had been appended, epoch ms. */
	#handledAt: number | undefined;
	/** Messages sent again, which the remote may have had. */
	resent = 0;

	constructor(parts: OutboxParts) {
		this.#parts = parts;
		this.#cursor = parts.cursor;
		this.#next = parts.cursor.position;
		this.#releaseBefore = this.#next;
	}

	/** Records that the remote does not have yet, including those that are not for it. */
	get lag(): number {
		return this.#cursor.tally.balance().queued;
	}

	/** Since when the oldest message waits, epoch ms; undefined when none does. */
	get oldestAt(): number | undefined {
		return this.#entries[0]?.at ?? (this.lag > 0 ? this.#handledAt : undefined);
	}

	/** Begins to send on a new connection, first the messages that were not answered on the last one. */
	attach(connection: RemoteConnection): void {
		this.#connection = connection;
		const { sessionPresent } = connection.allowed;
		if (sessionPresent) this.#releaseAgain(connection);
		this.#releaseBefore = undefined;
		if (!sessionPresent) {
			// Without the session the remote has lost its unreleased messages too.
			for (const entry of this.#entries) if (entry.stage !== 'done') entry.stage = 'sent';
		}
		for (const entry of this.#entries) {
			if (entry.stage === 'sent') {
				this.resent++;
				connection.send(this.#packet(entry, sessionPresent));
			} else if (entry.stage === 'released') connection.send({ cmd: 'pubrel', messageId: entry.id });
		}
		this.#unhandled = 0;
		this.#cursor.tally.begin(this.#next, () => this.#unfinished + this.#unhandled);
		const stop = new AbortController();
		this.#pumping = { stop, done: this.#pump(connection, stop.signal) };
		this.#releaseReceived();
	}

	/** Stops sending. Unanswered messages are sent again on the next connection. */
	async detach(): Promise<void> {
		this.#connection = undefined;
		const pumping = this.#pumping;
		this.#pumping = undefined;
		pumping?.stop.abort();
		this.#wake();
		await pumping?.done;
	}

	/** Handles an acknowledgement of the remote. False when it is not for a message of this outbox. */
	answered(packet: Packet): boolean {
		const entry =
			packet.messageId === undefined
				? undefined
				: this.#entries.find(({ id, stage }) => id === packet.messageId && stage !== 'done');
		if (!entry) return false;
		const refused = packet.cmd === 'puback' || packet.cmd === 'pubrec' ? refusalOf(packet) : undefined;
		if (refused) {
			this.#parts.logger.warn(
				{ topic: entry.message.topic, err: refused.message },
				'bridge: the remote refused a message',
			);
			this.#finish(entry, 'refused');
		} else if (packet.cmd === 'puback') this.#finish(entry);
		else if (packet.cmd === 'pubrec') {
			if (entry.stage === 'sent') entry.stage = 'received';
			if (entry.stage === 'released') this.#connection?.send({ cmd: 'pubrel', messageId: entry.id });
			this.#releaseReceived();
		} else if (packet.cmd === 'pubcomp') this.#finish(entry);
		this.#advance();
		return true;
	}

	/** Goes on if sending was held up, because the bridge is no longer on standby. */
	wake(): void {
		this.#wake();
	}

	/** Sends records until `signal` aborts. Never rejects. */
	async #pump(connection: RemoteConnection, signal: AbortSignal): Promise<void> {
		const { maxInFlight, maySend, logger } = this.#parts;
		const window = Math.min(maxInFlight, connection.allowed.inFlight);
		const retry = new Retry({
			what: 'bridge: sending from the queue',
			firstMs: 1000,
			signal,
			logger,
			level: 'error',
		});
		while (!signal.aborted) {
			try {
				if (!maySend() || this.#entries.length >= window || this.#bytes >= MAX_BYTES_IN_FLIGHT)
					await this.#untilWoken(signal);
				else await this.#sendBatch(connection, window, signal);
				retry.succeeded();
			} catch (error) {
				if (!signal.aborted) await retry.failed(error);
			}
		}
	}

	/** Reads a batch of records and sends them; waits for new records when there are none. */
	async #sendBatch(connection: RemoteConnection, window: number, signal: AbortSignal): Promise<void> {
		const { log, tally, maySend, logger } = this.#parts;
		const read = await log.read(this.#next, { maxRecords: BATCH_RECORDS, maxBytes: BATCH_BYTES });
		if (signal.aborted) return;
		this.#unhandled = read.records.length;
		this.#cursor.tally.read(read.next, read.gaps);
		for (const { from, to, reason } of read.gaps) {
			if (reason === 'consumed') continue;
			tally.drop('lost', to - from + 1);
			logger.error({ from, to, reason }, 'bridge: messages of the queue are lost');
		}
		for (const record of read.records) {
			while (!signal.aborted && (!maySend() || this.#isFull(window, record.offset))) await this.#untilWoken(signal);
			if (signal.aborted) return;
			await this.#handle(connection, record, signal);
		}
		this.#next = Math.max(this.#next, read.next);
		this.#advance();
		if (read.records.length === 0) await log.waitFor(this.#next, signal);
	}

	/** Sends a record, or drops it, or passes over it. */
	async #handle(connection: RemoteConnection, record: LogRecord, signal: AbortSignal): Promise<void> {
		const { tally, route, maxPacketSize, untilAllowed } = this.#parts;
		this.#handledAt = record.at;
		const message = route(record);
		if (typeof message === 'object') {
			await untilAllowed(signal);
			if (signal.aborted) return;
			tally.arrived();
			const entry: Entry = {
				offset: record.offset,
				id: this.#idOf(record.offset),
				at: record.at,
				message,
				bytes: record.payload.length,
				stage: 'sent',
			};
			this.#entries.push(entry);
			this.#unfinished++;
			this.#unhandled--;
			this.#bytes += entry.bytes;
			const bytes = generate(this.#packet(entry, false), { protocolVersion: connection.version });
			if (bytes.length > Math.min(maxPacketSize, connection.allowed.packetSize)) this.#finish(entry, 'too_large');
			else {
				message.onSent?.();
				const hasRoom = connection.sendBytes(bytes);
				if (Math.min(message.qos, connection.allowed.qos) === 0) this.#finish(entry);
				if (!hasRoom) await connection.drained();
			}
		} else {
			if (message !== undefined) tally.drop(message);
			this.#unhandled--;
			this.#countHandled();
		}
		this.#next = record.offset + 1;
		if (this.#entries.length === 0 || this.#entries[0]!.stage === 'done') this.#advance();
	}

	/**
	 * Whether there is no room in the window, or the packet id of this offset is in use, which may happen because offsets
	 * are skipped after a crash.
	 */
	#isFull(window: number, offset: number): boolean {
		if (this.#entries.length >= window || this.#bytes >= MAX_BYTES_IN_FLIGHT) return true;
		const isQos2InFlight = ({ message, stage }: Entry) => message.qos === 2 && stage !== 'done';
		if (this.#parts.usesQos2 && this.#connection?.version === 4)
			if (this.#entries.filter(isQos2InFlight).length >= MAX_QOS2_IN_FLIGHT) return true;
		const id = this.#idOf(offset);
		return this.#entries.some((entry) => entry.id === id);
	}

	#packet({ id, message }: Entry, dup: boolean): IPublishPacket {
		return publishPacket(message, id, dup, this.#connection!);
	}

	#idOf(offset: number): number {
		const { first, count } = this.#parts.ids;
		return first + (offset % count);
	}

	#finish(entry: Entry, dropped?: DropReason): void {
		if (entry.stage === 'done') return;
		entry.stage = 'done';
		this.#unfinished--;
		this.#parts.tally.finished(dropped);
		this.#countHandled();
	}

	/** Counts one finished record in the cursor's account. */
	#countHandled(): void {
		this.#cursor.tally.delivered(1, this.#firstUnacknowledged(), Date.now());
	}

	/** Moves the cursor past the messages that the remote has, and makes room in the window. */
	#advance(): void {
		let done = 0;
		while (done < this.#entries.length && this.#entries[done]!.stage === 'done')
			this.#bytes -= this.#entries[done++]!.bytes;
		if (done > 0) this.#entries.splice(0, done);
		this.#cursor.commit(this.#firstUnacknowledged());
		if (done > 0) this.#wake();
	}

	/** The first offset that the remote does not have. */
	#firstUnacknowledged(): number {
		return this.#entries.find(({ stage }) => stage === 'sent')?.offset ?? this.#next;
	}

	/**
	 * Releases the messages that the remote has received, once the cursor past them is on disk. One write at a time;
	 * messages received meanwhile are released after the next.
	 */
	#releaseReceived(): void {
		if (this.#isFlushing) return;
		const until = this.#firstUnacknowledged();
		const ready = this.#entries.filter(({ stage, offset }) => stage === 'received' && offset < until);
		if (ready.length === 0) return;
		this.#isFlushing = true;
		this.#cursor.commit(until);
		const { stopping, logger } = this.#parts;
		const retrying = {
			what: 'bridge: writing the cursor',
			firstMs: 1000,
			signal: stopping,
			logger,
			level: 'error',
		} as const;
		keepTrying(() => this.#cursor.flush(), retrying).then(
			() => {
				for (const entry of ready) {
					if (entry.stage !== 'received') continue;
					entry.stage = 'released';
					this.#connection?.send({ cmd: 'pubrel', messageId: entry.id });
				}
				this.#isFlushing = false;
				this.#releaseReceived();
			},
			() => {
				// The bridge is stopping; the messages are released after the next start.
			},
		);
	}

	/**
	 * Sends the releases once more that may not have arrived before the process was killed. A PUBREL for an unknown
	 * message does no harm.
	 */
	#releaseAgain(connection: RemoteConnection): void {
		if (this.#releaseBefore === undefined || !this.#parts.usesQos2) return;
		const first = Math.max(0, this.#releaseBefore - this.#parts.maxInFlight);
		for (let offset = first; offset < this.#releaseBefore; offset++)
			connection.send({ cmd: 'pubrel', messageId: this.#idOf(offset) });
	}

	#untilWoken(signal: AbortSignal): Promise<void> {
		if (signal.aborted) return Promise.resolve();
		return new Promise((resolve) => {
			this.#wake = () => {
				this.#wake = () => undefined;
				resolve();
			};
		});
	}
}

export interface OutboxParts {
	log: Log;
	cursor: Cursor;
	/** The range of packet ids to use. */
	ids: { first: number; count: number };
	route: Route;
	tally: BridgeTally;
	maxInFlight: number;
	maxPacketSize: number;
	usesQos2: boolean;
	/** Resolves when the rate limit allows one more message, or the signal aborts. */
	untilAllowed: (signal: AbortSignal) => Promise<void>;
	/** Whether messages may be sent now. Call `wake` when it changes. */
	maySend: () => boolean;
	/** Aborts when the bridge is stopped for good. */
	stopping: AbortSignal;
	logger: Logger;
}
