import type { Histogram } from './histogram.ts';

/** One connection of the load generator. */
export interface Sender {
	readonly sensor: string;
	/** Messages it may send now without exceeding its window. */
	readonly room: number;
	/** Readings sent so far, and those of them that were acknowledged (QoS 0: that the other side has read). */
	readonly sent: number;
	readonly acknowledged: number;
	readonly refused: number;
	/** Sends so many messages, in one write. */
	send(messages: number): void;
	/** Sequence numbers that wait for their acknowledgement. */
	pending(): number[];
	close(): void;
}

export interface SenderEvents {
	latency: Histogram;
	/** Called after acknowledgements. */
	onRoom(sender: Sender): void;
	onError(error: Error): void;
}
