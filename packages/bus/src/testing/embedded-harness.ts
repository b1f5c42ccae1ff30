import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNode } from '@crowdvision/testing/processes';
import { type EmbeddedBackend, openEmbeddedBackend } from './embedded-backend.ts';
import type { BusHarness } from './harness.ts';
import { heldBy } from './held-by.ts';

export interface EmbeddedHarness extends BusHarness {
	backend(): EmbeddedBackend;
}

/** Logs in a temporary folder. `open` always returns the same bus, as in the process that this adapter is for. */
export async function embeddedHarness(): Promise<EmbeddedHarness> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-bus-'));
	const failing = new Int32Array(new SharedArrayBuffer(4));
	let backend = await openEmbeddedBackend(dir, failing);
	const reopen = async (meanwhile?: () => Promise<string[]>): Promise<string[]> => {
		await backend.close();
		const outcome = await meanwhile?.();
		backend = await openEmbeddedBackend(dir, failing);
		return outcome ?? [];
	};
	return {
		backend: () => backend,
		reconnects: false,
		open: async () => backend.bus,
		restart: async () => void (await reopen()),
		killHolding: (stream, group, member) =>
			reopen(() =>
				heldBy(
					startNode('packages/bus/src/testing/hold-entries.ts', {
						args: ['embedded', dir, stream, group, member],
						ready: /holding (.*)\n/,
					}),
				),
			),
		refuseWrites: async () => void Atomics.store(failing, 0, 1),
		acceptWrites: async () => void Atomics.store(failing, 0, 0),
		dropOldest: async (stream) => {
			const log = backend.logs[stream];
			const wanted = log.startOffset + 10;
			while (log.startOffset < wanted) await log.append([{ payload: 'x'.repeat(4096) }]);
		},
		stop: async () => {
			await backend.close();
			await rm(dir, { recursive: true, force: true });
		},
	};
}
