import { keepTrying, type Logger } from '@crowdvision/service-kit';
import type { IPublishPacket } from 'mqtt-packet';
import { messageKey } from '../loops/message-key.ts';
import type { RemoteConnection } from '../remote/remote-connection.ts';
import type { BridgeTally, DropReason } from './bridge-tally.ts';

/**
 * Handles one message from the remote. Resolves when its effect is durable, with the reason if it was dropped. Rejects
 * when it cannot be taken now.
 */
export type TakeMessage = (packet: IPublishPacket) => Promise<DropReason | undefined>;

interface Arrival {
	packet: IPublishPacket;
	/** The connection on which to acknowledge it. */
	connection: RemoteConnection;
	isDone: boolean;
}

const MAX_UNDER_WAY = 100;
/** Beyond these the connection is not read, so that TCP slows the remote down. */
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/**
 * The messages from the remote. They are taken and acknowledged in the order of arrival, each acknowledged only when
 * its effect is durable; until then the remote keeps it. Many are under way at once, so that they share a commit of the
 * log. A message that cannot be taken now holds those behind it up.
 */
export class Inbox {
	readonly #tally: BridgeTally;
	readonly #logger: Logger;
	readonly #take: TakeMessage;
	readonly #waiting: Arrival[] = [];
	readonly #underWay: Arrival[] = [];
	/**
	 * Keys of messages of QoS 2 that were not released yet, by packet id. The same message under the same id is not a new
	 * one (MQTT-4.3.3-2).
	 */
	readonly #unreleased = new Map<number, string>();
	readonly #stopping = new AbortController();
	#waitingBytes = 0;
	#isHeld = true;
	/** Messages under way that could not be taken at the first try. */
	#failing = 0;
	/** The connection that is not read for now. */
	#paused: RemoteConnection | undefined;
	/** Messages of QoS 1 or 2 that the remote sent again. */
	repeated = 0;

	constructor(tally: BridgeTally, take: TakeMessage, logger: Logger) {
		this.#tally = tally;
		this.#take = take;
		this.#logger = logger;
	}

	/**
	 * Begins with a new connection. Unacknowledged messages of the last one are still taken: a remote that was killed may
	 * no longer have them.
	 */
	begin(sessionPresent: boolean): void {
		this.#paused = undefined;
		if (!sessionPresent) this.#unreleased.clear();
	}

	/** While held, messages wait and none is taken. */
	hold(on: boolean): void {
		this.#isHeld = on;
		this.#start();
	}

	/** Adds a message that has arrived. */
	publish(packet: IPublishPacket, connection: RemoteConnection): void {
		if (packet.dup) this.repeated++;
		// Compared by content too: a remote that lost its state may give the packet id to another message.
		const isUnreleased =
			packet.qos === 2 &&
			this.#unreleased.get(packet.messageId!) === messageKey(packet.topic, packet.payload as Buffer);
		if (isUnreleased) {
			connection.send({ cmd: 'pubrec', messageId: packet.messageId! });
			return;
		}
		// A message whose connection ended before it was acknowledged is acknowledged on the new connection.
		const same = packet.dup
			? [...this.#underWay, ...this.#waiting].find((arrival) => isSame(arrival.packet, packet))
			: undefined;
		if (same) {
			same.connection = connection;
			return;
		}
		this.#tally.arrived();
		this.#waiting.push({ packet, connection, isDone: false });
		this.#waitingBytes += packet.payload.length;
		this.#start();
		if (!this.#paused && (this.#waiting.length >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES)) {
			connection.hold(true);
			this.#paused = connection;
		}
	}

	/** Answers the release (PUBREL) of a message of QoS 2. */
	release(messageId: number, connection: RemoteConnection): void {
		this.#unreleased.delete(messageId);
		connection.send({ cmd: 'pubcomp', messageId });
	}

	stop(): void {
		this.#stopping.abort();
	}

	#start(): void {
		while (
			!this.#isHeld &&
			this.#failing === 0 &&
			this.#underWay.length < MAX_UNDER_WAY &&
			!this.#stopping.signal.aborted
		) {
			const arrival = this.#waiting.shift();
			if (!arrival) break;
			this.#waitingBytes -= arrival.packet.payload.length;
			this.#underWay.push(arrival);
			void this.#run(arrival);
		}
		if (this.#paused && this.#waiting.length < MAX_WAITING / 2 && this.#waitingBytes < MAX_WAITING_BYTES / 2) {
			this.#paused.hold(false);
			this.#paused = undefined;
		}
	}

	async #run(arrival: Arrival): Promise<void> {
		let hasFailed = false;
		try {
			const dropped = await keepTrying(() => this.#take(arrival.packet), {
				what: 'bridge: taking a message from the remote',
				firstMs: 50,
				longestMs: 2000,
				signal: this.#stopping.signal,
				logger: this.#logger,
				details: { topic: arrival.packet.topic },
				onFailure: () => {
					if (!hasFailed) this.#failing++;
					hasFailed = true;
				},
			});
			this.#tally.finished(dropped);
		} catch {
			// The bridge is stopping; the remote keeps the message.
			return;
		}
		arrival.isDone = true;
		if (hasFailed) this.#failing--;
		this.#acknowledge();
		this.#start();
	}

	#acknowledge(): void {
		while (this.#underWay[0]?.isDone) {
			const { packet, connection } = this.#underWay.shift()!;
			if (packet.qos === 1) connection.send({ cmd: 'puback', messageId: packet.messageId! });
			else if (packet.qos === 2) {
				this.#unreleased.set(packet.messageId!, messageKey(packet.topic, packet.payload as Buffer));
				connection.send({ cmd: 'pubrec', messageId: packet.messageId! });
			}
		}
	}
}

function isSame(one: IPublishPacket, other: IPublishPacket): boolean {
	return (
		one.messageId === other.messageId &&
		one.topic === other.topic &&
		(one.payload as Buffer).equals(other.payload as Buffer)
	);
}
