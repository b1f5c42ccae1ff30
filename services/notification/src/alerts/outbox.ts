import type { Bus } from '@crowdvision/bus';
import { CHANNELS } from '@crowdvision/contracts';
import { keepRunning, type Logger } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { OutboxDocument } from '../store.ts';
import { WakeUp } from '../wake-up.ts';

const BATCH = 100;
/** How often to look for alerts that replicas wrote which do not lead: they cannot wake the leader. */
const POLL_EVERY_MS = 1000;

/**
 * Announces the alerts in the outbox, in order, and removes each afterwards. A crash in between announces an alert
 * again, with the same id and state; none stays unannounced. Only the leader announces.
 */
export class Outbox {
	readonly #bus: Bus;
	readonly #store: Store;
	readonly #outbox: Collection<OutboxDocument>;
	readonly #logger: Logger;
	readonly #wakeUp = new WakeUp();
	#running: { stopped: AbortController; done: Promise<void> } | undefined;

	constructor(bus: Bus, store: Store, logger: Logger) {
		this.#bus = bus;
		this.#store = store;
		this.#outbox = store.collection('outbox');
		this.#logger = logger;
	}

	start(): void {
		if (this.#running) return;
		const stopped = new AbortController();
		const { signal } = stopped;
		const step = async () => {
			await this.#announceAll(signal);
			await this.#wakeUp.wait(signal, POLL_EVERY_MS);
		};
		const options = { what: 'announcing alerts', signal, logger: this.#logger, firstMs: 100, longestMs: 5000 };
		this.#running = { stopped, done: keepRunning(step, options) };
	}

	/** Call it after an alert was written to the outbox. Returns at once. */
	wake(): void {
		this.#wakeUp.call();
	}

	/** Resolves when the announcement under way has ended. */
	async stop(): Promise<void> {
		const running = this.#running;
		this.#running = undefined;
		running?.stopped.abort();
		await running?.done;
	}

	async #announceAll(signal: AbortSignal): Promise<void> {
		for (;;) {
			const batch = await this.#outbox.find({ limit: BATCH });
			for (const { value } of batch) {
				if (signal.aborted) return;
				await this.#bus.announce(CHANNELS.notifications, JSON.stringify(value.alert));
			}
			if (batch.length === 0) return;
			await this.#store.commit(batch.map(({ id }) => this.#outbox.remove(id)));
		}
	}
}
