import type { Subscription } from './bus.ts';

/** The open subscriptions of a bus, which end when the bus closes. */
export class Subscriptions {
	readonly #open = new Set<Subscription>();
	#closed = false;

	get closed(): boolean {
		return this.#closed;
	}

	/** Returns the subscription to hand out: it closes at most once, however often `close` is called. */
	add(subscription: Subscription): Subscription {
		let closing: Promise<void> | undefined;
		const tracked: Subscription = {
			close: () => {
				closing ??= subscription.close().finally(() => this.#open.delete(tracked));
				return closing;
			},
		};
		this.#open.add(tracked);
		return tracked;
	}

	/** Closes all; resolves when the last handler has returned. */
	async close(): Promise<void> {
		this.#closed = true;
		await Promise.allSettled([...this.#open].map((subscription) => subscription.close()));
	}
}
