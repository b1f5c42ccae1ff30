import { type CommitWorker, startCommitWorker } from '../commit/commit-worker.ts';
import { Log } from '../log.ts';
import type { DedupKey } from '../segment/record.ts';
import type { Incident, LogOptions } from '../types.ts';
import { Folders } from './folders.ts';

/** A disk whose writes can be made to fail; see `DiskFaults`. */
export interface Disk {
	refuse(): void;
	/** Writes, but neither syncs nor takes back. */
	tear(): void;
	/** The thread dies of the next write. */
	die(): void;
	mend(): void;
}

/** Logs on a disk that can be slow or fail, with everything they reported; `end` closes and removes it all. */
export class LogWorld {
	readonly folders = new Folders();
	readonly incidents: Incident[] = [];
	readonly disk: Disk;
	readonly worker: CommitWorker;
	/** Batches and headers that went to the disk. */
	writes = 0;
	readonly #logs: Log[] = [];

	constructor(fsyncDelayMs = 0) {
		const failing = new Int32Array(new SharedArrayBuffer(4));
		const set = (mode: number) => () => void Atomics.store(failing, 0, mode);
		this.disk = { mend: set(0), refuse: set(1), tear: set(2), die: set(3) };
		const worker = startCommitWorker({ failing, fsyncDelayMs });
		this.worker = {
			send: (request) => {
				if (request.kind === 'write') this.writes++;
				return worker.send(request);
			},
			close: () => worker.close(),
		};
	}

	async open(dir = this.folders.make(), options: Partial<LogOptions> = {}): Promise<Log> {
		const log = await Log.open({
			dir,
			worker: this.worker,
			onIncident: (incident) => this.incidents.push(incident),
			...options,
		});
		this.#logs.push(log);
		return log;
	}

	/** Opens what a kill -9 of the log in `dir` would leave now. */
	openAsIfKilled(dir: string, options: Partial<LogOptions> = {}): Promise<Log> {
		return this.open(this.folders.asIfKilled(dir), options);
	}

	/** Does something, and resolves in the same turn in which the next write sets out for the disk. */
	async writing<T>(start: () => T): Promise<{ started: T }> {
		const before = this.writes;
		const started = start();
		while (this.writes === before) await new Promise((resolve) => setImmediate(resolve));
		return { started };
	}

	async end(): Promise<void> {
		this.disk.mend();
		await Promise.allSettled(this.#logs.splice(0).map((log) => log.close()));
		await this.worker.close();
		this.folders.removeAll();
	}
}

export function key(seq: number, source = 'door'): DedupKey {
	return { source, boot: '', seq, hash: seq };
}

/** `count` records of `size` bytes, each its own number. */
export function numbered(count: number, from = 0, size = 0): { payload: string }[] {
	return Array.from({ length: count }, (_, index) => ({ payload: `${from + index}`.padEnd(size, '.') }));
}
