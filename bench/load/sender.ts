/** One connection of the load generator, which sends the readings of one sensor. */
export interface Sender {
	readonly sensor: string;
	/** Messages that it may send now without exceeding its window. */
	readonly available: number;
	/** Readings sent so far, and how many of them were acknowledged (QoS 0: read by the other side). */
	readonly sent: number;
	readonly acknowledged: number;
	readonly refused: number;
	/** Sends this many messages in one write. */
	send(messages: number): void;
	/** Sequence numbers of unacknowledged readings. */
	pending(): number[];
	close(): void;
}

/** What a sender reports to the load generator. */
export interface SenderEvents {
	/** Called with the time from sending to acknowledgement. */
	onLatency(milliseconds: number): void;
	/** Called after acknowledgements, when messages may be sent again. */
	onAvailable(sender: Sender): void;
	onError(error: Error): void;
}
