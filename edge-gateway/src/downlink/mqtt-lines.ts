import { type CommandToDevice, TOPICS } from '@crowdvision/contracts';
import type { Aedes, Client } from 'aedes';
import type { Sender } from '../normalize/identify.ts';
import type { Line, Lines } from './lines.ts';

const PREFIX = `${TOPICS.command}/`;

/**
 * The lines of MQTT devices: whoever subscribes to `command/{sensorId}` is told commands to that sensor. Not through
 * the broker's routing, which would keep them for a session that is away, and give them to it after their deadline.
 */
export class MqttLines {
	readonly #lines: Lines;
	readonly #senderOf: (client: Client) => Sender | undefined;
	readonly #byClient = new Map<Client, Line>();

	constructor(broker: Aedes, lines: Lines, senderOf: (client: Client) => Sender | undefined) {
		this.#lines = lines;
		this.#senderOf = senderOf;
		broker.on('subscribe', (_subscriptions, client) => this.#listens(client));
		// A session brings its subscriptions along, and does not say them again.
		broker.on('clientReady', (client) => this.#listens(client));
		broker.on('unsubscribe', (filters, client) => {
			const line = this.#byClient.get(client);
			if (line)
				for (const filter of filters)
					if (filter.startsWith(PREFIX)) this.#lines.leave(filter.slice(PREFIX.length), line);
		});
		broker.on('clientDisconnect', (client) => {
			const line = this.#byClient.get(client);
			this.#byClient.delete(client);
			if (line) this.#lines.remove(line);
		});
	}

	/** What was granted is among the client's subscriptions, what was refused is not. */
	#listens(client: Client): void {
		const sender = this.#senderOf(client);
		if (!sender || client.closed) return;
		for (const filter of Object.keys((client as unknown as { subscriptions: object }).subscriptions)) {
			if (filter.startsWith(PREFIX)) this.#lines.add(filter.slice(PREFIX.length), this.#lineOf(client, sender));
		}
	}

	#lineOf(client: Client, sender: Sender): Line {
		let line = this.#byClient.get(client);
		if (!line) {
			line = {
				transport: 'mqtt',
				name: sender.id,
				domainName: sender.domainName,
				send: (command) => send(client, command),
			};
			this.#byClient.set(client, line);
		}
		return line;
	}
}

/**
 * Whether a message is a command whose deadline is over. Ours are not queued, but one that a bridge brings is, for a
 * session that is away: it must not be given out late.
 */
export function isLateCommand(packet: { topic: string; payload: Buffer | string }, now: number): boolean {
	if (!packet.topic.startsWith(PREFIX)) return false;
	try {
		const { deadline } = (JSON.parse(packet.payload.toString()) ?? {}) as { deadline?: unknown };
		return typeof deadline === 'number' && deadline <= now;
	} catch {
		return false;
	}
}

/**
 * A session would keep what it has not acknowledged past its deadline, so it gets QoS 0: over one connection that loses
 * nothing, and over the next the command is sent again.
 */
function send(client: Client, { sensorId, ...command }: CommandToDevice): void {
	if (client.closed) return;
	const message = {
		id: command.id,
		name: command.name,
		args: command.args,
		deadline: command.deadline,
		ttlMs: command.ttlMs,
	};
	client.publish(
		{
			cmd: 'publish',
			topic: `${PREFIX}${sensorId}`,
			payload: Buffer.from(JSON.stringify(message)),
			qos: client.clean ? 1 : 0,
			retain: false,
			dup: false,
		},
		() => undefined,
	);
}
