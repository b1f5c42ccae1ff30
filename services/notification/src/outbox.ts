import type { Bus } from '@crowdvision/bus';
import { CHANNELS } from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';

const AT_ONCE = 100;
const LONGEST_PAUSE_MS = 5000;

/**
 * Announces what was written into the outbox, in that order, and removes it then. A crash in between announces it again, with the same
 * id and state; nothing that was decided stays untold.
 */
export class Outbox {
	readonly #bus: Bus;
	readonly #database: SqliteDatabase;
	readonly #logger: Logger;
	readonly #stopped = new AbortController();
	#running: Promise<void> | undefined;
	#again = false;

	constructor(bus: Bus, database: SqliteDatabase, logger: Logger) {
		this.#bus = bus;
		this.#database = database;
		this.#logger = logger;
	}

	/** Call it after something was written; does not wait. */
	wake(): void {
		this.#again = true;
		this.#running ??= this.#run().finally(() => {
			this.#running = undefined;
		});
	}

	async stop(): Promise<void> {
		this.#stopped.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopped;
		for (let failures = 0; this.#again && !signal.aborted; ) {
			this.#again = false;
			try {
				await this.#announceWaiting();
				failures = 0;
			} catch (error) {
				this.#again = true;
				if (failures === 0) this.#logger.warn({ err: error }, 'alerts could not be announced yet: trying on');
				await pause(backOff(failures++, 100, LONGEST_PAUSE_MS), signal);
			}
		}
	}

	async #announceWaiting(): Promise<void> {
		for (;;) {
			const waiting = await this.#database.all<{ number: number; alert: string }>('SELECT number, alert FROM outbox ORDER BY number LIMIT ?', [
				AT_ONCE,
			]);
			for (const { alert } of waiting) await this.#bus.announce(CHANNELS.notifications, alert);
			const last = waiting.at(-1);
			if (!last || this.#stopped.signal.aborted) return;
			await this.#database.run('DELETE FROM outbox WHERE number <= ?', [last.number]);
		}
	}
}
