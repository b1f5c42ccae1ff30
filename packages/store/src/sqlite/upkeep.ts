import { rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SerialQueue } from '@crowdvision/service-kit/concurrency';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { CHECKED_AT_ONCE_BYTES } from './open.ts';
import { backupPath, backupsOf, timeOf } from './restore.ts';
import type { UpkeepOutcome, UpkeepTask } from './upkeep-worker.ts';

/** When a database file is checked and backed up. */
export interface UpkeepOptions {
	path: string;
	/** Number of backups to keep, the newest ones. */
	keep: number;
	/** Time between two backups, in ms. */
	everyMs: number;
	/** Delay after the start before the first check or backup, in ms. */
	firstMs: number;
	logger: PlainLogger;
	/** Shared by the stores of a process: one copy at a time. */
	queue: SerialQueue;
	onDamage: () => void;
}

const HEAP = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };
const RETRY_MS = 3600_000;

/**
 * Backs up a database soon after its first start and then regularly, and checks one that was too large to be checked
 * when it was opened.
 */
export class Upkeep {
	readonly #options: UpkeepOptions;
	#timer: NodeJS.Timeout;
	#worker: Worker | undefined;
	#closed = false;

	constructor(options: UpkeepOptions) {
		this.#options = options;
		this.#timer = this.#after(options.firstMs, () => this.#first());
	}

	async close(): Promise<void> {
		this.#closed = true;
		clearTimeout(this.#timer);
		await this.#worker?.terminate();
	}

	async #first(): Promise<void> {
		const { path, everyMs } = this.#options;
		const [newest] = backupsOf(path);
		const age = newest ? Date.now() - timeOf(newest).getTime() : Number.POSITIVE_INFINITY;
		// A backup from the future shows that the clock was wrong.
		if (age < 0 || age >= everyMs) return this.#backUp();
		if (statSync(path).size > CHECKED_AT_ONCE_BYTES) await this.#run({ path });
		this.#timer = this.#after(everyMs - age, () => this.#backUp());
	}

	async #backUp(): Promise<void> {
		const { path, keep, everyMs, logger } = this.#options;
		const target = backupPath(path, new Date());
		const good = await this.#run({ path, target });
		if (good) {
			for (const old of backupsOf(path).slice(keep)) rmSync(old, { force: true });
			logger.info({ backup: basename(target) }, 'store: backed up');
		}
		this.#timer = this.#after(good ? everyMs : Math.min(everyMs, RETRY_MS), () => this.#backUp());
	}

	/** Resolves with whether the check, and the copy, succeeded. */
	async #run(task: UpkeepTask): Promise<boolean> {
		const { logger, onDamage, queue } = this.#options;
		const outcome = await queue.run(() => this.#inThread(task));
		if (this.#closed || outcome === 'good') return outcome === 'good';
		if (outcome === 'damaged') onDamage();
		else logger.error({ reason: outcome.failed }, 'store: the check or the backup failed; it is repeated later');
		return false;
	}

	#inThread(task: UpkeepTask): Promise<UpkeepOutcome> {
		if (this.#closed) return Promise.resolve({ failed: 'closed' });
		return new Promise((resolve) => {
			const worker = new Worker(new URL('./upkeep-worker.ts', import.meta.url), {
				name: 'sqlite upkeep',
				workerData: task,
				resourceLimits: HEAP,
			});
			this.#worker = worker;
			worker.once('message', resolve);
			worker.once('error', (error) => resolve({ failed: String(error) }));
			worker.once('exit', () => {
				this.#worker = undefined;
				resolve({ failed: 'the thread ended' });
			});
		});
	}

	#after(ms: number, task: () => Promise<void>): NodeJS.Timeout {
		const { logger } = this.#options;
		const run = () => void task().catch((error: unknown) => logger.error({ err: error }, 'store: upkeep failed'));
		const timer = setTimeout(() => this.#closed || run(), Math.min(ms, 2 ** 31 - 1));
		return timer.unref();
	}
}
