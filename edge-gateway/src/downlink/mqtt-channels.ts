import { type CommandToDevice, TOPICS } from '@crowdvision/contracts';
import type { Aedes, Client } from 'aedes';
import type { Sender } from '../normalize/identify.ts';
import type { TenantTopics } from '../topics/tenant-topics.ts';
import type { CommandChannel, CommandChannels } from './command-channels.ts';

const PREFIX = `${TOPICS.command}/`;

/**
 * Adds a channel for each MQTT client that subscribes to `command/{sensorId}`, and removes it when the client
 * disconnects. Commands do not go through the broker's routing, which would store them for a session whose client is
 * offline and deliver them after their deadline.
 */
export function addMqttChannels(
	broker: Aedes,
	channels: CommandChannels,
	topics: TenantTopics,
	senderOf: (client: Client) => Sender | undefined,
): void {
	const byClient = new Map<Client, CommandChannel>();
	const channelOf = (client: Client, sender: Sender): CommandChannel => {
		const known = byClient.get(client);
		if (known) return known;
		const channel: CommandChannel = {
			transport: 'mqtt',
			name: sender.id,
			domainName: sender.domainName,
			send: (command) => send(client, command, topics.toBroker(`${PREFIX}${command.sensorId}`, sender)),
		};
		byClient.set(client, channel);
		return channel;
	};
	/** Reads the client's granted subscriptions; a refused one is not among them. */
	const addSubscriptions = (client: Client): void => {
		const sender = senderOf(client);
		if (!sender || client.closed) return;
		for (const filter of Object.keys((client as unknown as { subscriptions: object }).subscriptions)) {
			const sensorId = sensorIn(topics.toDevice(filter, sender));
			if (sensorId !== undefined) channels.add(sensorId, channelOf(client, sender));
		}
	};
	broker.on('subscribe', (_subscriptions, client) => addSubscriptions(client));
	// A stored session has its subscriptions already: its client does not subscribe again.
	broker.on('clientReady', addSubscriptions);
	broker.on('unsubscribe', (filters, client) => {
		const channel = byClient.get(client);
		if (!channel) return;
		for (const filter of filters) {
			const sensorId = sensorIn(topics.toDevice(topics.toBroker(filter, channel), channel));
			if (sensorId !== undefined) channels.removeSensor(sensorId, channel);
		}
	});
	broker.on('clientDisconnect', (client) => {
		const channel = byClient.get(client);
		byClient.delete(client);
		if (channel) channels.remove(channel);
	});
}

/** The sensor whose commands a device's filter is for. */
const sensorIn = (filter: string | undefined) => (filter?.startsWith(PREFIX) ? filter.slice(PREFIX.length) : undefined);

/**
 * Whether a message is a command whose deadline has passed. The gateway's own commands are never queued, but one from a
 * bridge is queued for a session whose client is offline, and must not be delivered late. `now` is in epoch ms.
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
 * Uses QoS 0 for a stored session, which would keep an unacknowledged message beyond its deadline. Nothing is lost: one
 * connection delivers reliably, and on the next connection the command is sent again.
 */
function send(client: Client, command: CommandToDevice, topic: string): void {
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
			topic,
			payload: Buffer.from(JSON.stringify(message)),
			qos: client.clean ? 1 : 0,
			retain: false,
			dup: false,
		},
		() => undefined,
	);
}
