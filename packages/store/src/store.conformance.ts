import { afterEach, beforeEach, describe } from 'vitest';
import { describeClose } from './testing/conformance-close.ts';
import { describeCommit } from './testing/conformance-commit.ts';
import { describeDocuments } from './testing/conformance-documents.ts';
import { describeModel } from './testing/conformance-model.ts';
import { describeReadings } from './testing/conformance-readings.ts';
import { describeRollUps } from './testing/conformance-roll-ups.ts';
import { DEFINITION, type World } from './testing/conformance-world.ts';
import type { StoreHarness } from './testing/harness.ts';

/** The guarantees of every store. Call it at the top level of an adapter's test file. */
export function describeStore(name: string, makeHarness: () => Promise<StoreHarness>): void {
	describe(`the store on ${name}`, () => {
		const world = {} as World;
		beforeEach(async () => {
			world.harness = await makeHarness();
			world.stores = await world.harness.open();
			world.store = await world.stores.open('things', DEFINITION);
		});
		afterEach(async () => {
			await world.stores?.close();
			await world.harness.stop();
		});

		describeDocuments(world);
		describeCommit(world);
		describeModel(world);
		describeReadings(world);
		describeRollUps(world);
		describeClose(world);
	});
}
