import { afterEach, beforeEach, describe } from 'vitest';
import { describeAppendOnce } from './testing/conformance-append-once.ts';
import { describeClose } from './testing/conformance-close.ts';
import { describeConsume } from './testing/conformance-consume.ts';
import { describeGoBack } from './testing/conformance-go-back.ts';
import { describeLive } from './testing/conformance-live.ts';
import { describeRedelivery } from './testing/conformance-redelivery.ts';
import { describeTail } from './testing/conformance-tail.ts';
import { describeTrouble } from './testing/conformance-trouble.ts';
import type { World } from './testing/conformance-world.ts';
import type { BusHarness } from './testing/harness.ts';

/** The guarantees of every bus. Call it at the top level of an adapter's test file. */
export function describeBus(name: string, makeHarness: () => Promise<BusHarness>): void {
	describe(`the bus on ${name}`, () => {
		const world = {} as World;
		beforeEach(async () => {
			world.harness = await makeHarness();
			world.bus = await world.harness.open();
		});
		afterEach(() => world.harness.stop());

		describeConsume(world);
		describeAppendOnce(world);
		describeRedelivery(world);
		describeGoBack(world);
		describeTrouble(world);
		describeTail(world);
		describeLive(world);
		describeClose(world);
	});
}
