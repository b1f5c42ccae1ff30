import type { Bus } from '@crowdvision/bus';
import { CHANNELS } from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { OutboxDocument } from '../store.ts';

const AT_ONCE = 100;
/** A replica that is not on duty writes too, and cannot wake the one that is. */
const LOOK_EVERY_MS = 1000;
const LONGEST_PAUSE_MS = 5000;

/**
 * Announces what was written into the outbox, in that order, and removes it then. A crash in between announces it
 * again, with the same id and state; nothing that was decided stays untold. One announces at a time: who is on duty.
 */
export class Outbox {
	readonly #bus: Bus;
	readonly #store: Store;
	readonly #outbox: Collection<OutboxDocument>;
	readonly #logger: Logger;
	#running: { stopped: AbortController; done: Promise<void> } | undefined;
	#woken = Promise.withResolvers<void>();

	constructor(bus: Bus, store: Store, logger: Logger) {
		this.#bus = bus;
		this.#store = store;
		this.#outbox = store.collection('outbox');
		this.#logger = logger;
	}

	start(): void {
		if (this.#running) return;
		const stopped = new AbortController();
		this.#running = { stopped, done: this.#run(stopped.signal) };
	}

	/** Call it after something was written; does not wait. */
	wake(): void {
		this.#woken.resolve();
	}

	async stop(): Promise<void> {
		const running = this.#running;
		this.#running = undefined;
		running?.stopped.abort();
		await running?.done;
	}

	async #run(signal: AbortSignal): Promise<void> {
		for (let failures = 0; !signal.aborted; ) {
			this.#woken = Promise.withResolvers();
			try {
				await this.#announceWaiting(signal);
				failures = 0;
			} catch (error) {
				if (failures === 0) this.#logger.warn({ err: error }, 'alerts could not be announced yet: trying on');
				await pause(backOff(failures++, 100, LONGEST_PAUSE_MS), signal);
				continue;
			}
			await pauseUnless(this.#woken.promise, LOOK_EVERY_MS, signal);
		}
	}

	async #announceWaiting(signal: AbortSignal): Promise<void> {
		for (;;) {
			const waiting = await this.#outbox.find({ limit: AT_ONCE });
			for (const { value } of waiting) {
				if (signal.aborted) return;
				await this.#bus.announce(CHANNELS.notifications, JSON.stringify(value.alert));
			}
			if (waiting.length === 0) return;
			await this.#store.commit(waiting.map(({ id }) => this.#outbox.remove(id)));
		}
	}
}

/** Waits for `ms`, or until `woken` resolves or `signal` aborts. */
async function pauseUnless(woken: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
	const enough = new AbortController();
	await Promise.race([woken, pause(ms, AbortSignal.any([signal, enough.signal]))]);
	enough.abort();
}
