import { backOff, type Logger, waitAtMost } from '@crowdvision/service-kit';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import type { DashboardServer } from '../dashboards/dashboard.ts';

/**
 * The other processes of this service, through Socket.IO's Redis streams adapter.
 *
 * What it is for: questions that only all replicas together can answer, here how many dashboards an account has open,
 * and commands of Socket.IO that reach a client wherever it is (`disconnectSockets`).
 *
 * What it is not for: readings, alerts and device events. Every replica hears those on the bus itself and sends them to
 * its own clients only; through the adapter each would reach every client once per replica. Nor for resuming: a
 * dashboard's cursor does that at any replica, further back and also after this service's or Redis' restart, so
 * Socket.IO's connection state recovery is off.
 *
 * Nothing that must not be lost may go through it: until the adapter has read its first message it follows the stream
 * from `$`, and misses what is written between two reads. A client's token is part of what `fetchSockets` carries over
 * Redis: it is not used.
 */
export class Replicas {
	readonly #clients: Redis[] = [];
	readonly #logger: Logger;
	readonly #main: Redis;
	/** For Socket.IO's option of the same name. */
	readonly adapter: ReturnType<typeof createAdapter>;
	#io: DashboardServer | undefined;

	constructor(url: string, logger: Logger) {
		this.#logger = logger;
		this.#main = this.#track(
			new Redis(url, {
				connectionName: 'crowdvision:replicas',
				protocol: 2,
				// The adapter reads in a loop and does not wait after an error: it must never see one, but wait for the
				// connection.
				maxRetriesPerRequest: null,
				retryStrategy: (attempt) => backOff(attempt - 1, 50, 2000),
				keepAlive: 10_000,
			}),
		);
		const duplicate = this.#main.duplicate.bind(this.#main);
		this.#main.duplicate = (override) => this.#track(duplicate(override));
		this.adapter = createAdapter(this.#main, {
			// One hash tag: a Redis Cluster keeps all of it on one node.
			streamName: '{socket.io}:dashboards',
			channelPrefix: '{socket.io}:dashboards',
			maxLen: 1000,
			onlyPlaintext: true,
		});
	}

	/** Answers the other replicas from now on; `dashboardsOf` says how many of an account are connected here. */
	join(io: DashboardServer, dashboardsOf: (accountId: string) => number): void {
		this.#io = io;
		io.on('dashboardsOf', (accountId, answer) => answer(dashboardsOf(accountId)));
	}

	/**
	 * How many dashboards of an account are connected to the other replicas; 0 where they do not answer within a second.
	 */
	async dashboardsOf(accountId: string): Promise<number> {
		if (!this.#io || this.#main.status !== 'ready') return 0;
		let elsewhere = 0;
		const asked = this.#io.serverSideEmitWithAck('dashboardsOf', accountId).then(
			(answers) => {
				for (const count of answers) elsewhere += count;
			},
			(error: Error) => this.#logger.debug({ err: error }, 'not all replicas said how many dashboards an account has'),
		);
		await waitAtMost(ANSWER_MS, asked);
		return elsewhere;
	}

	close(): void {
		this.#io?.of('/').adapter.close();
		for (const client of this.#clients) client.disconnect();
	}

	/** Ends with the others, and lets nothing that fails by that be a failure nobody takes: the adapter does not look. */
	#track(client: Redis): Redis {
		client.on('error', () => undefined);
		const { publish, subscribe, send_command } = client as unknown as Record<
			'publish' | 'subscribe' | 'send_command',
			Command
		>;
		const forgive =
			(command: Command) =>
			(...args: unknown[]) =>
				command.apply(client, args).catch(() => undefined);
		Object.assign(client, {
			publish: forgive(publish),
			subscribe: forgive(subscribe),
			// PUBSUB NUMSUB: how many replicas there are. Where that cannot be had: this one.
			send_command: (name: string, args: unknown[], done: (error: null, reply: unknown[]) => void) => {
				send_command.call(client, name, args).then(
					(reply) => done(null, reply as unknown[]),
					() => done(null, [args[1], 1]),
				);
			},
		});
		this.#clients.push(client);
		return client;
	}
}

type Command = (...args: unknown[]) => Promise<unknown>;

const ANSWER_MS = 1000;
