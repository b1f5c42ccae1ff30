import { type CommitWorker, startCommitWorker } from '../commit/worker.ts';
import { Log } from '../log.ts';
import type { LogOptions } from '../options.ts';
import type { Incident } from '../recovery/incident.ts';
import type { DedupKey } from '../segment/record.ts';
import { Folders } from './folders.ts';

/** A disk whose writes can be made to fail; see `DiskFaults`. */
export interface Disk {
	refuse(): void;
	/** Writes bytes, but can neither sync nor remove them. */
	tear(): void;
	/** The next write kills the thread. */
	die(): void;
	mend(): void;
}

/** Logs on a disk that can be slow or fail, with their incidents; `end` closes and removes everything. */
export class LogWorld {
	readonly folders = new Folders();
	readonly incidents: Incident[] = [];
	readonly disk: Disk;
	readonly worker: CommitWorker;
	/** Number of batches and headers written. */
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

	/** Opens a copy as a kill -9 of the log in `dir` would leave it now. */
	openAsIfKilled(dir: string, options: Partial<LogOptions> = {}): Promise<Log> {
		return this.open(this.folders.asIfKilled(dir), options);
	}

	/** Calls `start`, and resolves in the same turn in which the next write begins. */
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

/** `count` records of `size` bytes, whose payload is their number. */
export function numbered(count: number, from = 0, size = 0): { payload: string }[] {
	return Array.from({ length: count }, (_, index) => ({ payload: `${from + index}`.padEnd(size, '.') }));
}
