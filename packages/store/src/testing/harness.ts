import type { Stores } from '../store.ts';

/** What the conformance suite needs of an engine besides the port. One harness per test, with an empty engine. */
export interface StoreHarness {
	/** Opens stores on the engine. The suite closes them before it opens others. */
	open(): Promise<Stores>;
	/** Closes everything and removes what was stored. */
	stop(): Promise<void>;
}
