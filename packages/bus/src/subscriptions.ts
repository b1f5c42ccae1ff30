import type { Subscription } from './bus.ts';

/** What a bus has given out and must close with itself. */
export class Subscriptions {
	readonly #open = new Set<Subscription>();
	#closed = false;

	get closed(): boolean {
		return this.#closed;
	}

	/** The same subscription, closed at most once however often it is asked to. */
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
