import type { Stores } from '../store.ts';

/** What the conformance suite needs of an engine beside the port itself. One harness a test, with an empty engine. */
export interface StoreHarness {
	/** Stores on what the engine holds. The suite closes them before it opens others. */
	open(): Promise<Stores>;
	/** Closes everything and removes what was stored. */
	stop(): Promise<void>;
}
