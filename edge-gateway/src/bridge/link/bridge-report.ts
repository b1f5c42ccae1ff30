import type { BridgeTally } from './bridge-tally.ts';

/**
 * `waiting`: no connection is wanted now (lazy, scheduled). `listening`: connected, and looking for loops before the
 * first message. `stopped`: for good, after a failure with `start: once`.
 */
export type LinkPhase = 'waiting' | 'connecting' | 'listening' | 'connected' | 'disconnected' | 'stopped';

/** The state of a bridge, as `GET /gateway/bridges` and its state topic report it. Times are epoch ms. */
export interface BridgeReport {
	name: string;
	state: LinkPhase;
	since: number;
	/** The address in use, or the one being tried. */
	address: string | undefined;
	protocol: '3.1.1' | '5' | undefined;
	/** The last failure of the connection. */
	lastFailure: { at: number; reason: string; address: string | undefined } | undefined;
	/** The bridge that carries its messages, while it is on standby because of a loop. */
	standbyFor: string | undefined;
	/** Records that the remote does not have yet, including those that are not for it. */
	queued: number;
	/** Age of the oldest of them, in ms. */
	lag: number;
	/** Messages acknowledged by the remote. */
	delivered: number;
	/** Messages received from the remote. */
	received: number;
	echoesDropped: number;
	/** Messages sent or received again, which the other side may have had already. */
	duplicates: { sent: number; received: number };
	out: ReturnType<BridgeTally['summary']>;
	in: ReturnType<BridgeTally['summary']>;
}
