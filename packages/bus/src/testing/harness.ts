import type { StreamName } from '@crowdvision/contracts';
import type { Bus } from '../bus.ts';

/** What the conformance suite needs of a backend beside the bus itself. One harness a test, with an empty backend. */
export interface BusHarness {
	/** A bus on the backend; several may be open at once. Closed by `stop`, if not before. */
	open(): Promise<Bus>;
	/** Whether a bus that was open goes on by itself after `restart`; else the test opens another. */
	readonly reconnects: boolean;
	/** Ends the backend (kill -9 where it is a process) and brings it back with what it holds on disk. */
	restart(): Promise<void>;
	/**
	 * Runs a consumer in a process of its own and kills that while it holds entries. Resolves with what it held. Buses
	 * that were open before may be unusable after it.
	 */
	killHolding(stream: StreamName, group: string, member: string): Promise<string[]>;
	/** From now on every write is refused, until `acceptWrites`. */
	refuseWrites(): Promise<void>;
	acceptWrites(): Promise<void>;
	/** Makes the backend give up its oldest entries, at least ten of them, as it does when it is full. Leaves some. */
	giveUpOldest(stream: StreamName): Promise<void>;
	/** Closes everything and removes what was stored. */
	stop(): Promise<void>;
}
