import { join } from 'node:path';
import { STREAMS, type StreamName } from '@crowdvision/contracts';
import { type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { EmbeddedBus } from '../embedded/embedded-bus.ts';

/** Logs in a folder, small enough to fill in a test, and the bus on them. */
export interface EmbeddedBackend {
	readonly bus: EmbeddedBus;
	readonly logs: Record<StreamName, Log>;
	close(): Promise<void>;
}

const SEGMENT_BYTES = 16 * 1024;
const MAX_BYTES = 128 * 1024;

/** A `failing[0]` other than 0 makes every write fail. */
export async function openEmbeddedBackend(dir: string, failing?: Int32Array): Promise<EmbeddedBackend> {
	const worker: CommitWorker = startCommitWorker(failing ? { failing } : {});
	const open = (name: string) =>
		Log.open({ dir: join(dir, name), worker, segmentBytes: SEGMENT_BYTES, maxBytes: MAX_BYTES });
	const opened = await Promise.all(
		Object.values(STREAMS).map(async (stream): Promise<[StreamName, Log]> => [stream, await open(stream)]),
	);
	const logs = Object.fromEntries(opened) as Record<StreamName, Log>;
	const deadLog = await open('dead-letters');
	const bus = new EmbeddedBus({ logs, deadLog });
	return {
		bus,
		logs,
		close: async () => {
			await bus.close();
			await Promise.all([...Object.values(logs), deadLog].map((log) => log.close()));
			await worker.close();
		},
	};
}
