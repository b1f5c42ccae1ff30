import type { BridgeAccount } from './bridge-tally.ts';

/**
 * `waiting`: not wanted for now (lazy, scheduled). `listening`: connected, and looking for loops. `stopped`: by `start:
 * once` after a failure.
 */
export type LinkPhase = 'waiting' | 'connecting' | 'listening' | 'connected' | 'disconnected' | 'stopped';

/** A bridge as `GET /gateway/bridges` and its state topic tell of it. Times are epoch ms. */
export interface BridgeReport {
	name: string;
	state: LinkPhase;
	since: number;
	/** Address in use, or the one that is tried. */
	address: string | undefined;
	protocol: '3.1.1' | '5' | undefined;
	/** Why it is not connected, or was not the last time. */
	lastFailure: { at: number; reason: string; address: string | undefined } | undefined;
	/** The bridge that carries its messages, where it is on standby because of a loop. */
	standbyFor: string | undefined;
	/** Messages that wait for the remote, those that are not for it among them. */
	queued: number;
	/** Age of the oldest of them, ms. */
	lag: number;
	/** To the remote. */
	delivered: number;
	/** From the remote. */
	received: number;
	echoesDropped: number;
	/** Messages sent again, or received again: the other side may have had them. */
	duplicates: { sent: number; received: number };
	out: ReturnType<BridgeAccount['summary']>;
	in: ReturnType<BridgeAccount['summary']>;
}
