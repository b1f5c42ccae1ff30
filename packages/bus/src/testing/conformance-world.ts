import type { StreamName } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { expect } from 'vitest';
import type { Bus, BusEntry, ConsumeOptions } from '../bus.ts';
import type { BusHarness } from './harness.ts';

/** The fixture of each conformance test: an empty backend and a bus on it. */
export interface World {
	harness: BusHarness;
	bus: Bus;
}

export const STREAM: StreamName = 'commands';

export const numbered = (count: number, from = 0) =>
	Array.from({ length: count }, (_, index) => `entry ${from + index}`);
export const dataOf = (entries: readonly BusEntry[]) => entries.map(({ data }) => data);
export const unavailable = expect.objectContaining({ code: 'unavailable' });
export const member = (options: Partial<ConsumeOptions> = {}): ConsumeOptions => ({
	member: 'a',
	claimAfterMs: 1000,
	...options,
});

/** Appends a last entry: once it arrives, everything before it has arrived. */
export const appendLast = ({ bus }: World) => bus.append(STREAM, ['last']);

/** Restarts the backend, and opens a new bus if the present one does not survive that. */
export async function restart(world: World): Promise<void> {
	await world.harness.restart();
	if (!world.harness.reconnects) world.bus = await world.harness.open();
	await waitFor('the backend', async () => (await world.bus.trouble()) === undefined);
}

/** A handler that collects its entries. */
export function inbox() {
	const entries: BusEntry[] = [];
	return {
		entries,
		take: async (given: BusEntry[]) => void entries.push(...given),
		/** Resolves with the data once that many entries have arrived; fails when there are more. */
		async holds(count: number): Promise<string[]> {
			await waitFor(`${count} entries`, () => entries.length >= count);
			expect(entries).toHaveLength(count);
			return dataOf(entries);
		},
	};
}
