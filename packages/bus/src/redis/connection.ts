import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff } from '@crowdvision/service-kit/retry';
import { Redis } from 'ioredis';

/** How one connection to Redis is opened. */
export interface RedisConnectionOptions {
	url: string;
	/** Name in `CLIENT LIST` and in log lines. */
	name: string;
	/** How long a command may wait for the connection, and then for its reply, in ms. */
	timeoutMs: number;
	/** Added to `timeoutMs` for the reply, in ms, for blocking reads. Default 0. */
	blockMs?: number;
	logger: PlainLogger;
	/** Called each time the connection is up and the server has loaded its data. */
	onReady?: () => void;
}

const LONGEST_PAUSE_MS = 2000;

const CUT = 'the connection was lost';
/** Commands that may wait for the connection at once; more are rejected at once. */
const MAX_WAITING = 10_000;

/** Beginnings of error messages of Redis and its client, and what they mean for a person. */
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
 * One connection that reconnects by itself, with back-off, until it is closed. A command waits up to `timeoutMs` for it
 * and is never sent twice. A command that was under way when the connection broke rejects at once; whether Redis
 * executed it is unknown.
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
		// Never the whole URL: it may contain a password.
		this.#address = new URL(url).host;
		this.#redis = new Redis(url, {
			connectionName: `crowdvision:${name}`,
			protocol: 2,
			lazyConnect: true,
			enableOfflineQueue: false,
			// Together these two reject a command whose connection broke instead of sending it again.
			autoResendUnfulfilledCommands: false,
			maxRetriesPerRequest: 0,
			autoResubscribe: false,
			connectTimeout: timeoutMs,
			commandTimeout: timeoutMs + blockMs,
			retryStrategy: (attempt) => backOff(attempt - 1, 50, LONGEST_PAUSE_MS),
			// After a failover the address may lead to the new primary.
			reconnectOnError: (error) => error.message.startsWith('READONLY'),
		});
		let reported = false;
		this.#redis.on('error', (error: Error) => {
			this.#trouble = describe(error);
		});
		this.#redis.on('close', () => {
			if (this.#closed || reported) return;
			reported = true;
			logger.warn(
				{ redis: this.#address, connection: name, reason: this.#trouble },
				'Redis cannot be reached; trying again',
			);
		});
		this.#redis.on('ready', () => {
			if (reported) logger.info({ redis: this.#address, connection: name }, 'Redis is back');
			reported = false;
			this.#trouble = CUT;
			for (const { proceed } of [...this.#waiting]) proceed();
			onReady?.();
		});
	}

	get isReady(): boolean {
		return this.#redis.status === 'ready';
	}

	/** The underlying client, for its events only: commands go through `run`. */
	get client(): Redis {
		return this.#redis;
	}

	/**
	 * Sends commands once the connection is ready, waiting at most `waitMs` for it.
	 * @throws CrowdVisionError `unavailable`, with the reason in words and Redis' own error as `cause`.
	 */
	async run<T>(commands: (redis: Redis) => Promise<T>, waitMs = this.#timeoutMs): Promise<T> {
		await this.#ready(waitMs);
		try {
			return await commands(this.#redis);
		} catch (error) {
			// No reply in time: the server hangs, or the network drops packets. Only a new connection can tell.
			if (error instanceof Error && error.message === 'Command timed out') this.drop();
			throw this.#unavailable(error as Error);
		}
	}

	/** Undefined when Redis replies within `patienceMs`, else the reason for a person. */
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

	/** Drops the present connection; the client reconnects by itself. */
	drop(): void {
		this.#redis.stream?.destroy();
	}

	/** Disconnects for good; waiting commands reject at once. */
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
		if (this.#waiting.size >= MAX_WAITING) return Promise.reject(this.#unavailable(new Error(this.#trouble)));
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

/** The error in words for a person. For a rejected transaction: the command error that caused it. */
function describe(error: Error & { previousErrors?: Error[]; code?: string }): string {
	const { message } = error.previousErrors?.[0] ?? error;
	const known = MEANINGS.find(([prefix]) => message.startsWith(prefix));
	return known?.[1] ?? (message || error.code || CUT);
}

/** Whether `error`, thrown by `run`, was caused by a Redis error of this kind, such as `NOGROUP …`. */
export function isRedisError(error: unknown, kind: string): boolean {
	const { cause } = error as { cause?: unknown };
	return cause instanceof Error && cause.message.startsWith(kind);
}
