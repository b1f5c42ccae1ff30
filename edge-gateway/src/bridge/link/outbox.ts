import type { Cursor, Log, LogRecord } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet';
import type { BridgeAccount, DropReason } from './bridge-tally.ts';
import { refusalOf } from './refusals.ts';
import type { RemoteConnection } from './remote-connection.ts';

/** A message as the remote gets it. */
export interface Outgoing {
	topic: string;
	payload: Buffer;
	qos: 0 | 1 | 2;
	retain: boolean;
	userProperties?: Record<string, string>;
	/** Called once, when the message is first handed to the connection. */
	onSent?: () => void;
}

/** What a record becomes: a message, a reason to drop it, or nothing, where it is not for this bridge. */
export type Route = (record: LogRecord) => Outgoing | DropReason | undefined;

/** `sent`: not yet answered. `taken`: PUBREC came. `released`: PUBREL is on its way. `done`: nothing is to come. */
type Stage = 'sent' | 'taken' | 'released' | 'done';

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
const MOST_BYTES_IN_FLIGHT = 8 * 1024 * 1024;

/**
 * A cursor on a log that publishes to a remote, in order, with a bounded number of messages in flight. The cursor moves
 * past a message when the remote has it: PUBACK, PUBREC, or, at QoS 0, when it is written.
 *
 * The packet id of a message is made of its offset, so that after a kill -9 it is sent again under the same id: a
 * remote that kept the session then knows a message of QoS 2 it already has (MQTT-4.3.3-2). For the same reason PUBREL
 * is sent only when the cursor is on disk behind the message, and, after a start, once more for those just before it.
 */
export class Outbox {
	readonly #parts: OutboxParts;
	readonly #cursor: Cursor;
	#entries: Entry[] = [];
	#bytes = 0;
	/** Offset to read on from. */
	#next: number;
	/** Up to here nothing is released again after a start; undefined once that is done. */
	#releaseBefore: number | undefined;
	#connection: RemoteConnection | undefined;
	#pumping: { stop: AbortController; done: Promise<void> } | undefined;
	#wake: () => void = () => undefined;
	#flushing = false;
	/** Entries that are not done with, and records that are read and not yet looked at. */
	#open = 0;
	#unread = 0;
	#oldest: number | undefined;
	/** Messages sent again on the same session; the remote may have had them. */
	resent = 0;

	constructor(parts: OutboxParts) {
		this.#parts = parts;
		this.#cursor = parts.cursor;
		this.#next = parts.cursor.position;
		this.#releaseBefore = this.#next;
	}

	/** Records that the remote does not have yet, those that are not for it among them. */
	get lag(): number {
		return this.#cursor.account.balance().queued;
	}

	/** Since when the oldest message under way waits, epoch ms. */
	get oldestAt(): number | undefined {
		return this.#entries[0]?.at ?? (this.lag > 0 ? this.#oldest : undefined);
	}

	/** Sends again what is unanswered, and goes on from there. */
	attach(connection: RemoteConnection): void {
		this.#connection = connection;
		const { sessionPresent } = connection.allowed;
		if (sessionPresent) this.#releaseAgain(connection);
		this.#releaseBefore = undefined;
		if (!sessionPresent) {
			// A remote that knows nothing any more has not released anything either; what it had acknowledged is done.
			for (const entry of this.#entries) if (entry.stage !== 'done') entry.stage = 'sent';
		}
		for (const entry of this.#entries) {
			if (entry.stage === 'sent') {
				this.resent++;
				connection.send(this.#packet(entry, sessionPresent));
			} else if (entry.stage === 'released') connection.send({ cmd: 'pubrel', messageId: entry.id });
		}
		this.#unread = 0;
		this.#cursor.account.begin(this.#next, () => this.#open + this.#unread);
		const stop = new AbortController();
		this.#pumping = { stop, done: this.#pump(connection, stop.signal) };
		this.#flushTaken();
	}

	/** Stops sending; what is unanswered stays so. */
	async detach(): Promise<void> {
		this.#connection = undefined;
		const pumping = this.#pumping;
		this.#pumping = undefined;
		pumping?.stop.abort();
		this.#wake();
		await pumping?.done;
	}

	/** Takes an answer of the remote. False when it is for somebody else. */
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
			this.#settle(entry, 'refused');
		} else if (packet.cmd === 'puback') this.#settle(entry);
		else if (packet.cmd === 'pubrec') {
			if (entry.stage === 'sent') entry.stage = 'taken';
			if (entry.stage === 'released') this.#connection?.send({ cmd: 'pubrel', messageId: entry.id });
			this.#flushTaken();
		} else if (packet.cmd === 'pubcomp') this.#settle(entry);
		this.#advance();
		return true;
	}

	/** Looks at what waits again: a bridge that was on standby may go on. */
	wake(): void {
		this.#wake();
	}

	async #pump(connection: RemoteConnection, stopped: AbortSignal): Promise<void> {
		const { log, account, maxInFlight, may, logger } = this.#parts;
		const window = Math.min(maxInFlight, connection.allowed.inFlight);
		while (!stopped.aborted) {
			try {
				if (!may() || this.#entries.length >= window || this.#bytes >= MOST_BYTES_IN_FLIGHT) {
					await this.#woken(stopped);
					continue;
				}
				const read = await log.read(this.#next, { maxRecords: BATCH_RECORDS, maxBytes: BATCH_BYTES });
				if (stopped.aborted) return;
				this.#unread = read.records.length;
				this.#cursor.account.read(read.next, read.gaps);
				for (const { from, to, reason } of read.gaps) {
					if (reason === 'consumed') continue;
					account.drop('lost', to - from + 1);
					logger.error({ from, to, reason }, 'bridge: messages are lost from its queue');
				}
				for (const record of read.records) {
					while (!stopped.aborted && (!may() || this.#isFull(window, record.offset))) await this.#woken(stopped);
					if (stopped.aborted) return;
					await this.#take(connection, record, stopped);
				}
				this.#next = Math.max(this.#next, read.next);
				this.#advance();
				if (read.records.length === 0) await log.waitFor(this.#next, stopped);
			} catch (error) {
				if (stopped.aborted) return;
				logger.error({ err: error }, 'bridge: its queue cannot be read');
				await pause(1000, stopped);
			}
		}
	}

	/** Sends one record, or passes over it. */
	async #take(connection: RemoteConnection, record: LogRecord, stopped: AbortSignal): Promise<void> {
		const { account, route, maxPacketSize, pace } = this.#parts;
		this.#oldest = record.at;
		const message = route(record);
		if (typeof message === 'object') {
			await pace(stopped);
			if (stopped.aborted) return;
			account.arrived();
			const entry: Entry = {
				offset: record.offset,
				id: this.#idOf(record.offset),
				at: record.at,
				message,
				bytes: record.payload.length,
				stage: 'sent',
			};
			this.#entries.push(entry);
			this.#open++;
			this.#unread--;
			this.#bytes += entry.bytes;
			const bytes = generate(this.#packet(entry, false), { protocolVersion: connection.version });
			if (bytes.length > Math.min(maxPacketSize, connection.allowed.packetSize)) this.#settle(entry, 'too_large');
			else {
				message.onSent?.();
				const flows = connection.sendBytes(bytes);
				if (Math.min(message.qos, connection.allowed.qos) === 0) this.#settle(entry);
				if (!flows) await connection.drained();
			}
		} else {
			if (message !== undefined) account.drop(message);
			this.#unread--;
			this.#passed();
		}
		this.#next = record.offset + 1;
		if (this.#entries.length === 0 || this.#entries[0]!.stage === 'done') this.#advance();
	}

	/** No room in the window, or the packet id of this offset is in use: offsets are skipped after a crash. */
	#isFull(window: number, offset: number): boolean {
		if (this.#entries.length >= window || this.#bytes >= MOST_BYTES_IN_FLIGHT) return true;
		const id = this.#idOf(offset);
		return this.#entries.some((entry) => entry.id === id);
	}

	#packet({ id, message }: Entry, dup: boolean): IPublishPacket {
		const { topic, payload, retain, userProperties } = message;
		const { allowed, version } = this.#connection!;
		const qos = Math.min(message.qos, allowed.qos) as 0 | 1 | 2;
		return {
			cmd: 'publish',
			topic,
			payload,
			qos,
			retain: retain && allowed.retain,
			dup: dup && qos > 0,
			...(qos > 0 && { messageId: id }),
			...(version === 5 && userProperties && { properties: { userProperties } }),
		};
	}

	#idOf(offset: number): number {
		const { first, count } = this.#parts.ids;
		return first + (offset % count);
	}

	#settle(entry: Entry, dropped?: DropReason): void {
		if (entry.stage === 'done') return;
		entry.stage = 'done';
		this.#open--;
		this.#parts.account.settled(dropped);
		this.#passed();
	}

	/** One record is dealt with, for the books of the cursor. */
	#passed(): void {
		this.#cursor.account.delivered(1, this.#firstUntaken(), Date.now());
	}

	/** Moves the cursor past what the remote has, and makes room. */
	#advance(): void {
		let done = 0;
		while (done < this.#entries.length && this.#entries[done]!.stage === 'done')
			this.#bytes -= this.#entries[done++]!.bytes;
		if (done > 0) this.#entries.splice(0, done);
		this.#cursor.commit(this.#firstUntaken());
		if (done > 0) this.#wake();
	}

	/** The first offset that the remote does not have. */
	#firstUntaken(): number {
		return this.#entries.find(({ stage }) => stage === 'sent')?.offset ?? this.#next;
	}

	/**
	 * Releases what the remote has taken once the cursor behind it is on disk. One write at a time; what comes meanwhile
	 * goes with the next.
	 */
	#flushTaken(): void {
		if (this.#flushing) return;
		const until = this.#firstUntaken();
		const ready = this.#entries.filter(({ stage, offset }) => stage === 'taken' && offset < until);
		if (ready.length === 0) return;
		this.#flushing = true;
		this.#cursor.commit(until);
		this.#cursor.flush().then(
			() => {
				for (const entry of ready) {
					if (entry.stage !== 'taken') continue;
					entry.stage = 'released';
					this.#connection?.send({ cmd: 'pubrel', messageId: entry.id });
				}
				this.#flushing = false;
				this.#flushTaken();
			},
			(error: Error) => {
				this.#parts.logger.error({ err: error.message }, 'bridge: the cursor cannot be written; trying again');
				setTimeout(() => {
					this.#flushing = false;
					this.#flushTaken();
				}, 1000).unref();
			},
		);
	}

	/**
	 * What was released before this process was killed may not have arrived. A PUBREL for what is not there does no harm.
	 */
	#releaseAgain(connection: RemoteConnection): void {
		if (this.#releaseBefore === undefined || !this.#parts.usesQos2) return;
		const first = Math.max(0, this.#releaseBefore - this.#parts.maxInFlight);
		for (let offset = first; offset < this.#releaseBefore; offset++)
			connection.send({ cmd: 'pubrel', messageId: this.#idOf(offset) });
	}

	#woken(stopped: AbortSignal): Promise<void> {
		if (stopped.aborted) return Promise.resolve();
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
	/** Packet ids it may use. */
	ids: { first: number; count: number };
	route: Route;
	account: BridgeAccount;
	maxInFlight: number;
	maxPacketSize: number;
	usesQos2: boolean;
	/** Waits until one more message may be sent. */
	pace: (stopped: AbortSignal) => Promise<void>;
	/** Whether anything may be sent now; `wake` tells that it has changed. */
	may: () => boolean;
	logger: Logger;
}
