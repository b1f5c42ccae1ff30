import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { IPublishPacket } from 'mqtt-packet';
import { keyOf } from '../loops/echo-account.ts';
import type { BridgeAccount, DropReason } from './bridge-tally.ts';
import type { RemoteConnection } from './remote-connection.ts';

/**
 * Does what a message of the remote is for. Resolves when its effect is durable, with the reason where it has none.
 * Rejects when that is not possible for now.
 */
export type Take = (packet: IPublishPacket) => Promise<DropReason | undefined>;

interface Arrival {
	packet: IPublishPacket;
	connection: RemoteConnection;
	done: boolean;
}

const MOST_UNDER_WAY = 100;
/** Beyond this the remote is held back by TCP. */
const MOST_WAITING = 1000;
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/**
 * Messages of the remote, taken in the order they came and acknowledged in that order, each only when what it did here
 * is durable. Until then the remote keeps it. Many are under way at once, so that they share a commit; what cannot be
 * taken now holds up what is behind it.
 */
export class Inbox {
	readonly #account: BridgeAccount;
	readonly #logger: Logger;
	readonly #take: Take;
	readonly #waiting: Arrival[] = [];
	readonly #underWay: Arrival[] = [];
	/** Messages of QoS 2 whose PUBREL has not come yet, by id: the same again is no other one (MQTT-4.3.3-2). */
	readonly #unreleased = new Map<number, string>();
	readonly #stopping = new AbortController();
	#bytes = 0;
	#held = true;
	/** Messages under way that could not be taken at the first try. */
	#failing = 0;
	#deafened: RemoteConnection | undefined;
	/** Messages of QoS 1 or 2 that the remote sent again. */
	repeated = 0;

	constructor(account: BridgeAccount, take: Take, logger: Logger) {
		this.#account = account;
		this.#take = take;
		this.#logger = logger;
	}

	/**
	 * A new connection. What came on the last one and is not acknowledged is taken all the same: a remote that was killed
	 * may not have it any more.
	 */
	begin(sessionPresent: boolean): void {
		this.#deafened = undefined;
		if (!sessionPresent) this.#unreleased.clear();
	}

	/** Takes nothing while held; messages wait. */
	hold(on: boolean): void {
		this.#held = on;
		this.#start();
	}

	publish(packet: IPublishPacket, connection: RemoteConnection): void {
		if (packet.dup) this.repeated++;
		// A remote that lost its memory gives the id to another message.
		if (packet.qos === 2 && this.#unreleased.get(packet.messageId!) === keyOf(packet.topic, packet.payload as Buffer)) {
			connection.send({ cmd: 'pubrec', messageId: packet.messageId! });
			return;
		}
		// The last connection ended before this one was acknowledged: it will be on the new one.
		const same = packet.dup
			? [...this.#underWay, ...this.#waiting].find((arrival) => isSame(arrival.packet, packet))
			: undefined;
		if (same) {
			same.connection = connection;
			return;
		}
		this.#account.arrived();
		this.#waiting.push({ packet, connection, done: false });
		this.#bytes += packet.payload.length;
		this.#start();
		if (!this.#deafened && (this.#waiting.length >= MOST_WAITING || this.#bytes >= MOST_WAITING_BYTES)) {
			connection.hold(true);
			this.#deafened = connection;
		}
	}

	release(messageId: number, connection: RemoteConnection): void {
		this.#unreleased.delete(messageId);
		connection.send({ cmd: 'pubcomp', messageId });
	}

	/** Messages that came and are not done with. */
	get pending(): number {
		return this.#waiting.length + this.#underWay.length;
	}

	stop(): void {
		this.#stopping.abort();
	}

	#start(): void {
		while (
			!this.#held &&
			this.#failing === 0 &&
			this.#underWay.length < MOST_UNDER_WAY &&
			!this.#stopping.signal.aborted
		) {
			const arrival = this.#waiting.shift();
			if (!arrival) break;
			this.#bytes -= arrival.packet.payload.length;
			this.#underWay.push(arrival);
			void this.#run(arrival);
		}
		if (this.#deafened && this.#waiting.length < MOST_WAITING / 2 && this.#bytes < MOST_WAITING_BYTES / 2) {
			this.#deafened.hold(false);
			this.#deafened = undefined;
		}
	}

	async #run(arrival: Arrival): Promise<void> {
		const { signal } = this.#stopping;
		for (let attempt = 0; !signal.aborted; attempt++) {
			try {
				this.#account.settled(await this.#take(arrival.packet));
				arrival.done = true;
				if (attempt > 0) this.#failing--;
				this.#acknowledge();
				this.#start();
				return;
			} catch (error) {
				if (attempt === 0) {
					this.#failing++;
					this.#logger.warn(
						{ err: (error as Error).message, topic: arrival.packet.topic },
						'bridge: a message of the remote has to wait',
					);
				}
				await pause(backOff(attempt, 50, 2000), signal);
			}
		}
	}

	#acknowledge(): void {
		while (this.#underWay[0]?.done) {
			const { packet, connection } = this.#underWay.shift()!;
			if (packet.qos === 1) connection.send({ cmd: 'puback', messageId: packet.messageId! });
			else if (packet.qos === 2) {
				this.#unreleased.set(packet.messageId!, keyOf(packet.topic, packet.payload as Buffer));
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
