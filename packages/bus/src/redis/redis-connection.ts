import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff } from '@crowdvision/service-kit/retry';
import { Redis } from 'ioredis';

export interface RedisConnectionOptions {
	url: string;
	/** What `CLIENT LIST` calls it, and the log. */
	name: string;
	/** How long a command may wait for the connection, and then for its answer. */
	timeoutMs: number;
	/** How much longer than `timeoutMs` the server itself may take: for blocking reads. Default 0. */
	blockMs?: number;
	logger: PlainLogger;
	/** Called each time it is connected and the server has loaded its data. */
	onReady?: () => void;
}

const LONGEST_PAUSE_MS = 2000;

const CUT = 'the connection was lost';
/** Commands that wait for the connection at once; more are refused right away. */
const MOST_WAITING = 10_000;

/** How errors begin in the words of Redis or of its client, and what they mean to a person. */
const MEANINGS: [prefix: string, meaning: string][] = [
	['Reached the max retries', CUT],
	['Connection is closed', CUT],
	['Command aborted', CUT],
	["Stream isn't writeable", CUT],
	['Command timed out', 'it did not answer in time'],
	['OOM', 'it has no memory left (maxmemory)'],
	['MISCONF', 'it cannot write to its disk'],
	['READONLY', 'it is a read-only replica'],
	['NOREPLICAS', 'too few of its replicas are connected'],
	['LOADING', 'it is still loading its data'],
	['MASTERDOWN', 'its primary is away'],
	['NOAUTH', 'it asks for a password'],
	['WRONGPASS', 'it does not take this password'],
	['NOPERM', 'this user may not do that'],
];

/**
 * One connection that comes back by itself, with back-off, until it is closed. A command waits a few seconds for it and
 * is never sent twice; what was under way when the connection broke rejects at once, and nobody can tell whether it was
 * done.
 */
export class RedisConnection {
	readonly #redis: Redis;
	readonly #timeoutMs: number;
	readonly #address: string;
	readonly #waiting = new Set<{ proceed: () => void; giveUp: (error: Error) => void }>();
	#closed = false;
	#trouble = 'not connected yet';

	constructor({ url, name, timeoutMs, blockMs = 0, logger, onReady }: RedisConnectionOptions) {
		this.#timeoutMs = timeoutMs;
		// Never the whole URL: it may hold a password.
		this.#address = new URL(url).host;
		this.#redis = new Redis(url, {
			connectionName: `crowdvision:${name}`,
			protocol: 2,
			lazyConnect: true,
			enableOfflineQueue: false,
			// These two together: a command whose connection broke rejects at once instead of being sent again.
			autoResendUnfulfilledCommands: false,
			maxRetriesPerRequest: 0,
			autoResubscribe: false,
			connectTimeout: timeoutMs,
			commandTimeout: timeoutMs + blockMs,
			retryStrategy: (attempt) => backOff(attempt - 1, 50, LONGEST_PAUSE_MS),
			// After a failover the address may lead to the new primary.
			reconnectOnError: (error) => error.message.startsWith('READONLY'),
		});
		let told = false;
		this.#redis.on('error', (error: Error) => {
			this.#trouble = describe(error);
		});
		this.#redis.on('close', () => {
			if (this.#closed || told) return;
			told = true;
			logger.warn(
				{ redis: this.#address, connection: name, reason: this.#trouble },
				'Redis cannot be reached: trying on',
			);
		});
		this.#redis.on('ready', () => {
			if (told) logger.info({ redis: this.#address, connection: name }, 'Redis is back');
			told = false;
			this.#trouble = CUT;
			for (const { proceed } of [...this.#waiting]) proceed();
			onReady?.();
		});
	}

	get isReady(): boolean {
		return this.#redis.status === 'ready';
	}

	/** The client below, for events only; commands go through `run`. */
	get client(): Redis {
		return this.#redis;
	}

	/**
	 * Sends commands when the connection is ready, waiting at most `waitMs` for it.
	 * @throws CrowdVisionError `unavailable`, with the reason in words and Redis' own error as `cause`.
	 */
	async run<T>(commands: (redis: Redis) => Promise<T>, waitMs = this.#timeoutMs): Promise<T> {
		await this.#ready(waitMs);
		try {
			return await commands(this.#redis);
		} catch (error) {
			// No answer in time: the server hangs, or the network swallows packets. A new connection is the only way to find
			// out.
			if (error instanceof Error && error.message === 'Command timed out') this.drop();
			throw this.#unavailable(error as Error);
		}
	}

	/** Undefined when Redis answers within `patienceMs`, else the reason for a person. */
	async trouble(patienceMs: number): Promise<string | undefined> {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<string>((resolve) => {
			timer = setTimeout(() => resolve(`Redis at ${this.#address} does not answer`), patienceMs);
		});
		const answer = this.run((redis) => redis.ping(), patienceMs * 0.8).then(
			() => undefined,
			(error: Error) => error.message,
		);
		const outcome = await Promise.race([answer, late]);
		clearTimeout(timer);
		return outcome;
	}

	/** Gives up the present connection; the next one follows by itself. */
	drop(): void {
		this.#redis.stream?.destroy();
	}

	/** Ends it for good: whatever waits rejects at once. */
	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		const error = this.#unavailable(new Error('the bus was closed'));
		for (const { giveUp } of [...this.#waiting]) giveUp(error);
		this.#redis.disconnect();
		this.#redis.stream?.destroy();
	}

	#ready(waitMs: number): Promise<void> {
		if (this.#closed) return Promise.reject(this.#unavailable(new Error('the bus was closed')));
		if (this.#redis.status === 'ready') return Promise.resolve();
		if (this.#waiting.size >= MOST_WAITING) return Promise.reject(this.#unavailable(new Error(this.#trouble)));
		if (this.#redis.status === 'wait') this.#redis.connect().catch(() => undefined);
		return new Promise((resolve, reject) => {
			const settle = (finish: () => void) => {
				clearTimeout(timer);
				this.#waiting.delete(waiter);
				finish();
			};
			const waiter = { proceed: () => settle(resolve), giveUp: (error: Error) => settle(() => reject(error)) };
			const timer = setTimeout(() => waiter.giveUp(this.#unavailable(new Error(this.#trouble))), waitMs);
			this.#waiting.add(waiter);
		});
	}

	#unavailable(cause: Error): CrowdVisionError {
		if (cause instanceof CrowdVisionError) return cause;
		const error = new CrowdVisionError('unavailable', `Redis at ${this.#address}: ${describe(cause)}`, {}, 1);
		error.cause = cause;
		return error;
	}
}

/** In words for a person. A refused transaction says what refused it, not that it was refused. */
function describe(error: Error & { previousErrors?: Error[]; code?: string }): string {
	const { message } = error.previousErrors?.[0] ?? error;
	const known = MEANINGS.find(([prefix]) => message.startsWith(prefix));
	return known?.[1] ?? (message || error.code || CUT);
}

/** Whether Redis said, in a command that `error` came from, an error of this kind, as in `NOGROUP …`. */
export function isRedisError(error: unknown, kind: string): boolean {
	const { cause } = error as { cause?: unknown };
	return cause instanceof Error && cause.message.startsWith(kind);
}
