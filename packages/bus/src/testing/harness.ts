import type { StreamName } from '@crowdvision/contracts';
import type { Bus } from '../bus.ts';

/** What the conformance suite needs of a backend besides the bus. One harness per test, with an empty backend. */
export interface BusHarness {
	/** Opens a bus on the backend; several may be open at once. `stop` closes them. */
	open(): Promise<Bus>;
	/** Whether an open bus goes on by itself after `restart`; otherwise the test opens another. */
	readonly reconnects: boolean;
	/** Stops the backend (kill -9 where it is a process) and starts it again with what it holds on disk. */
	restart(): Promise<void>;
	/**
	 * Runs a consumer in a separate process and kills it while it holds entries. Resolves with the data of those entries.
	 * Buses that were open before may be unusable afterwards.
	 */
	killHolding(stream: StreamName, group: string, member: string): Promise<string[]>;
	/** Makes the backend refuse every write until `acceptWrites`. */
	refuseWrites(): Promise<void>;
	acceptWrites(): Promise<void>;
	/** Makes the backend drop its oldest entries, at least ten, as it does when it is full. Leaves some. */
	dropOldest(stream: StreamName): Promise<void>;
	/** Closes everything and removes what was stored. */
	stop(): Promise<void>;
}
