import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepTrying } from '@crowdvision/service-kit/retry';
import type { Subscription } from '../bus.ts';
import { Listeners } from '../listeners.ts';
import { RedisConnection } from './connection.ts';

const PING_EVERY_MS = 5000;

/**
 * All subscriptions to channels, on one subscriber connection. After a reconnect it subscribes again, then calls back
 * those who must catch up on what they missed.
 */
export class RedisLive {
	readonly #connection: RedisConnection;
	readonly #listeners: Listeners<[message: string]>;
	/** Channels whose first subscription was tried: from then on they are renewed after a reconnect. */
	readonly #renewed = new Set<string>();
	readonly #returns = new Set<() => void>();
	readonly #logger: PlainLogger;
	readonly #closing = new AbortController();
	#pings: NodeJS.Timeout | undefined;
	#renewing: Promise<void> | undefined;

	constructor(options: { url: string; timeoutMs: number; logger: PlainLogger }) {
		this.#logger = options.logger;
		this.#listeners = new Listeners(options.logger);
		this.#connection = new RedisConnection({ ...options, name: 'subscriber', onReady: () => this.#renew() });
		this.#connection.client.on('message', (channel: string, message: string) =>
			this.#listeners.notify(channel, message),
		);
	}

	/**
	 * Resolves when Redis has accepted the subscription, or after the timeout if Redis stays away; then the subscription
	 * follows as soon as Redis is back. `onReturn` is called after each such late or renewed subscription.
	 */
	async listen(channel: string, handle: (message: string) => void, onReturn?: () => void): Promise<Subscription> {
		const remove = this.#listeners.add(channel, handle);
		// Without pings a subscriber that only waits would not notice a network that drops everything.
		this.#pings ??= setInterval(
			() => void this.#connection.run((redis) => redis.ping(), 0).catch(() => undefined),
			PING_EVERY_MS,
		);
		try {
			await this.#connection.run((redis) => redis.subscribe(channel));
			this.#renewed.add(channel);
		} catch (error) {
			this.#logger.warn({ err: error, channel }, 'subscribing failed; it follows when Redis is back');
			this.#renewed.add(channel);
			if (this.#connection.isReady) this.#renew();
		}
		if (onReturn) this.#returns.add(onReturn);
		return {
			close: async () => {
				remove();
				if (onReturn) this.#returns.delete(onReturn);
				if (!this.#listeners.has(channel)) await this.#unsubscribe(channel);
			},
		};
	}

	close(): void {
		this.#closing.abort();
		clearInterval(this.#pings);
		this.#connection.close();
	}

	async #unsubscribe(channel: string): Promise<void> {
		this.#renewed.delete(channel);
		await this.#connection.run((redis) => redis.unsubscribe(channel), 0).catch(() => undefined);
		// Another listener may have come meanwhile.
		if (this.#listeners.has(channel))
			await this.#connection.run((redis) => redis.subscribe(channel), 0).catch(() => undefined);
	}

	#renew(): void {
		this.#renewing ??= this.#subscribeAll().finally(() => {
			this.#renewing = undefined;
		});
	}

	async #subscribeAll(): Promise<void> {
		const { signal } = this.#closing;
		const subscribe = async () => {
			if (this.#renewed.size === 0 || signal.aborted) return;
			await this.#connection.run((redis) => redis.subscribe(...this.#renewed));
			for (const onReturn of this.#returns) onReturn();
		};
		const options = { what: 'renewing the subscriptions', signal, firstMs: 50, longestMs: 5000, logger: this.#logger };
		// It rejects only when the bus closes.
		await keepTrying(subscribe, options).catch(() => undefined);
	}
}
