import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import type { Subscription } from '../bus.ts';
import { Listeners } from '../listeners.ts';
import { RedisConnection } from './redis-connection.ts';

const PING_EVERY_MS = 5000;
const LONGEST_PAUSE_MS = 5000;

/**
 * Everything heard over PUBLISH, on one subscriber connection. After a reconnect it subscribes again, then tells
 * whoever must catch up on what was missed.
 */
export class RedisLive {
	readonly #connection: RedisConnection;
	readonly #listeners: Listeners<[message: string]>;
	/** Channels whose first subscription was tried: from then on they are renewed here, and not by `listen`. */
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
		this.#connection.client.on('message', (channel: string, message: string) => this.#listeners.tell(channel, message));
	}

	/**
	 * Resolves when Redis has taken the subscription, or when it stays away longer than the timeout: then it is made up
	 * for as soon as Redis is back. `onReturn` is called after each such late or renewed subscription.
	 */
	async listen(channel: string, handle: (message: string) => void, onReturn?: () => void): Promise<Subscription> {
		const remove = this.#listeners.add(channel, handle);
		// A subscriber that only waits would not notice that the network swallows everything.
		this.#pings ??= setInterval(
			() => void this.#connection.run((redis) => redis.ping(), 0).catch(() => undefined),
			PING_EVERY_MS,
		);
		try {
			await this.#connection.run((redis) => redis.subscribe(channel));
			this.#renewed.add(channel);
		} catch (error) {
			this.#logger.warn({ err: error, channel }, 'not listening yet: it is made up for');
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
		// Somebody may have begun to listen while that was on its way.
		if (this.#listeners.has(channel))
			await this.#connection.run((redis) => redis.subscribe(channel), 0).catch(() => undefined);
	}

	#renew(): void {
		this.#renewing ??= this.#subscribeAll().finally(() => {
			this.#renewing = undefined;
		});
	}

	async #subscribeAll(): Promise<void> {
		for (let failures = 0; this.#renewed.size > 0 && !this.#closing.signal.aborted; failures++) {
			try {
				await this.#connection.run((redis) => redis.subscribe(...this.#renewed));
				for (const tell of this.#returns) tell();
				return;
			} catch (error) {
				if (failures === 0) this.#logger.warn({ err: error }, 'Redis did not take the subscriptions: trying on');
				await pause(backOff(failures, 50, LONGEST_PAUSE_MS), this.#closing.signal);
			}
		}
	}
}
