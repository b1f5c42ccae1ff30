import { backOff, type Logger, waitAtMost } from '@crowdvision/service-kit';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import type { DashboardServer } from '../dashboards/dashboard.ts';
import type { Dashboards } from '../dashboards/dashboards.ts';

const ANSWER_WITHIN_MS = 1000;

type Adapter = ReturnType<typeof createAdapter>;
type Command = (...args: unknown[]) => Promise<unknown>;

/**
 * The other processes of this service, through Socket.IO's Redis streams adapter.
 *
 * It serves questions that only all replicas together can answer, here how many dashboards an account has open, and
 * commands of Socket.IO that reach a client at any replica (`disconnectSockets`).
 *
 * It does not carry readings, alerts and device events. Every replica gets those from the bus and sends them to its own
 * clients only; through the adapter each would reach every client once per replica. Nor does it serve to resume: a
 * dashboard resumes with its cursor at any replica, further back and also after a restart of this service or of Redis,
 * so Socket.IO's connection state recovery is off.
 *
 * Messages through it can be lost: until the adapter has read its first message it follows the stream from `$`, and
 * misses what is written between two reads. `fetchSockets` is not used, because it would send clients' tokens over
 * Redis.
 */
export class Replicas {
	/** For Socket.IO's option of the same name. */
	readonly adapter: Adapter;
	readonly #main: Redis;
	readonly #clients: readonly Redis[];
	readonly #logger: Logger;
	#io: DashboardServer | undefined;

	private constructor(adapter: Adapter, main: Redis, clients: readonly Redis[], logger: Logger) {
		this.adapter = adapter;
		this.#main = main;
		this.#clients = clients;
		this.#logger = logger;
	}

	/** Connects to Redis in the background; while it is away, this process counts alone. */
	static connect(url: string, logger: Logger): Replicas {
		const clients: Redis[] = [];
		const track = (client: Redis): Redis => {
			clients.push(ignoreFailures(client));
			return client;
		};
		const main = track(
			new Redis(url, {
				connectionName: 'crowdvision:replicas',
				protocol: 2,
				// The adapter reads in a loop without a pause after an error. It must not see one, but wait for the connection.
				maxRetriesPerRequest: null,
				retryStrategy: (attempt) => backOff(attempt - 1, 50, 2000),
				keepAlive: 10_000,
			}),
		);
		const duplicate = main.duplicate.bind(main);
		main.duplicate = (override) => track(duplicate(override));
		const adapter = createAdapter(main, {
			// One hash tag, so that a Redis Cluster keeps all of it on one node.
			streamName: '{socket.io}:dashboards',
			channelPrefix: '{socket.io}:dashboards',
			maxLen: 1000,
			onlyPlaintext: true,
		});
		return new Replicas(adapter, main, clients, logger);
	}

	/** Answers the questions of the other replicas from now on. */
	join(io: DashboardServer, dashboards: Pick<Dashboards, 'countOf'>): void {
		this.#io = io;
		io.on('dashboardsOf', (accountId, answer) => answer(dashboards.countOf(accountId)));
	}

	/** Number of dashboards of an account at the other replicas; those that do not answer within 1 s count as 0. */
	async countElsewhere(accountId: string): Promise<number> {
		if (!this.#io || this.#main.status !== 'ready') return 0;
		let elsewhere = 0;
		const answered = this.#io.serverSideEmitWithAck('dashboardsOf', accountId).then(
			(answers) => {
				for (const count of answers) elsewhere += count;
			},
			(error: Error) => this.#logger.debug({ err: error }, 'some replicas did not count the dashboards of an account'),
		);
		await waitAtMost(ANSWER_WITHIN_MS, answered);
		return elsewhere;
	}

	close(): void {
		this.#io?.of('/').adapter.close();
		for (const client of this.#clients) client.disconnect();
	}
}

/** Keeps failed commands from becoming unhandled rejections: the adapter does not look at their promises. */
function ignoreFailures(client: Redis): Redis {
	client.on('error', () => undefined);
	const { publish, subscribe, send_command } = client as unknown as Record<
		'publish' | 'subscribe' | 'send_command',
		Command
	>;
	const ignoring =
		(command: Command) =>
		(...args: unknown[]) =>
			command.apply(client, args).catch(() => undefined);
	Object.assign(client, {
		publish: ignoring(publish),
		subscribe: ignoring(subscribe),
		// The adapter sends PUBSUB NUMSUB, which counts the replicas. When it fails, this replica counts as the only one.
		send_command: (name: string, args: unknown[], done: (error: null, reply: unknown[]) => void) => {
			send_command.call(client, name, args).then(
				(reply) => done(null, reply as unknown[]),
				() => done(null, [args[1], 1]),
			);
		},
	});
	return client;
}
