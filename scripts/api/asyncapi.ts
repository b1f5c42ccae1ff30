/** Makes the AsyncAPI document of what goes over MQTT, Socket.IO and Redis. */
import {
	Alert,
	CHANNELS,
	Command,
	CommandAnswer,
	CommandResult,
	CommandToDevice,
	IncomingReading,
	Reading,
	RenewRequest,
	STREAMS,
	SubscribeRequest,
	TABLES,
	TOPICS,
	UnsubscribeRequest,
} from '@crowdvision/contracts';

type Json = Record<string, unknown>;

const Cursor = { type: 'string', description: 'a position of the stream; opaque' };
const ReadingWithCursor = {
	allOf: [Reading, { type: 'object', required: ['cursor'], properties: { cursor: Cursor } }],
};
const DeviceEvent = {
	type: 'object',
	required: ['sensorId', 'state', 'at', 'gatewayId'],
	properties: {
		sensorId: { type: 'string' },
		state: { enum: ['online', 'offline'] },
		at: { type: 'number', description: 'epoch ms' },
		gatewayId: { type: 'string' },
	},
};
/** What is told with the reason, in the shape of every error. */
const withError = (properties: Record<string, object>) => ({
	type: 'object',
	required: [...Object.keys(properties), 'error'],
	properties: {
		...properties,
		error: {
			type: 'object',
			required: ['code', 'message'],
			properties: { code: { type: 'string' }, message: { type: 'string' } },
		},
	},
});

/** One channel with its messages, and who sends on it as seen from the system: `receive` is what comes in. */
interface Channel {
	address: string;
	server: 'mqtt' | 'sensors' | 'dashboards' | 'redis';
	action: 'send' | 'receive';
	description: string;
	parameters?: Record<string, string>;
	payload: unknown;
}

const CHANNELS_OF: Record<string, Channel> = {
	mqttReading: {
		address: `${TOPICS.telemetry}/{buildingId}/{roomId}/{sensorId}`,
		server: 'mqtt',
		action: 'receive',
		description: 'A reading; what the topic says may be left out of it. PUBACK means that it is on disk.',
		parameters: { buildingId: 'the building', roomId: 'the room', sensorId: 'the sensor' },
		payload: IncomingReading,
	},
	mqttNumber: {
		address: `${TOPICS.telemetry}/{buildingId}/{roomId}/{sensorId}/{metric}`,
		server: 'mqtt',
		action: 'receive',
		description: 'A bare number.',
		parameters: {
			buildingId: 'the building',
			roomId: 'the room',
			sensorId: 'the sensor',
			metric: 'a key of the metric catalog',
		},
		payload: { type: 'number' },
	},
	mqttStatus: {
		address: `${TOPICS.status}/{sensorId}`,
		server: 'mqtt',
		action: 'receive',
		description: 'Retained; `offline` as last will.',
		parameters: { sensorId: 'the sensor' },
		payload: { enum: ['online', 'offline'] },
	},
	mqttCommand: {
		address: `${TOPICS.command}/{sensorId}`,
		server: 'mqtt',
		action: 'send',
		description:
			'A command, while the device is connected and the command not late; again when it comes back without having ' +
			'answered: look at `id`.',
		parameters: { sensorId: 'the sensor' },
		payload: CommandToDevice,
	},
	mqttCommandResult: {
		address: `${TOPICS.command}/{sensorId}/result`,
		server: 'mqtt',
		action: 'receive',
		description: "The device's answer. PUBACK means that it is on disk.",
		parameters: { sensorId: 'the sensor' },
		payload: CommandAnswer,
	},
	sensorCommand: {
		address: 'command',
		server: 'sensors',
		action: 'send',
		description:
			'A command; the callback takes `{ok, outcome?, detail?}`: `ok` for one that was executed, `outcome: expired` ' +
			'for one that came too late.',
		payload: CommandToDevice,
	},
	sensorReading: {
		address: 'reading',
		server: 'sensors',
		action: 'receive',
		description:
			'One reading or an array; the callback gets `{ok: true, accepted}` when all are on disk, or ' +
			'`{ok: false, error}`.',
		payload: { anyOf: [IncomingReading, { type: 'array', items: IncomingReading }] },
	},
	dashboardSubscribe: {
		address: 'subscribe',
		server: 'dashboards',
		action: 'receive',
		description:
			'The callback gets `{ok: true, cursor}`. With the cursor of a snapshot, or of the last thing seen, nothing is ' +
			'missed and nothing comes twice.',
		payload: SubscribeRequest,
	},
	dashboardUnsubscribe: {
		address: 'unsubscribe',
		server: 'dashboards',
		action: 'receive',
		description: 'Nothing more of that building comes.',
		payload: UnsubscribeRequest,
	},
	dashboardRenew: {
		address: 'renew',
		server: 'dashboards',
		action: 'receive',
		description:
			'A fresh token of the same account in place of the one that expires; the callback gets `{ok: true, expiresAt}`.',
		payload: RenewRequest,
	},
	dashboardExpiring: {
		address: 'expiring',
		server: 'dashboards',
		action: 'send',
		description: 'The connection ends at `expiresAt` unless it is renewed before.',
		payload: withError({ expiresAt: { type: 'number', description: 'epoch ms' } }),
	},
	dashboardEnded: {
		address: 'ended',
		server: 'dashboards',
		action: 'send',
		description: "The building is gone, or no longer the account's to see.",
		payload: withError({ buildingId: { type: 'string' } }),
	},
	dashboardTelemetry: {
		address: 'telemetry',
		server: 'dashboards',
		action: 'send',
		description: 'Readings of the subscribed buildings, in order.',
		payload: { type: 'array', items: ReadingWithCursor },
	},
	dashboardSuperseded: {
		address: 'superseded',
		server: 'dashboards',
		action: 'send',
		description:
			'Some readings are left out: a slow client, or a cursor that is no longer held, gets the latest value per room ' +
			'and metric.',
		payload: {
			type: 'object',
			required: ['buildingId', 'reason', 'cursor'],
			properties: {
				buildingId: { type: 'string' },
				reason: { enum: ['slow', 'cursor_expired'] },
				from: Cursor,
				cursor: Cursor,
			},
		},
	},
	dashboardNotification: {
		address: 'notification',
		server: 'dashboards',
		action: 'send',
		description: 'An alert of your buildings.',
		payload: Alert,
	},
	dashboardDevice: {
		address: 'device',
		server: 'dashboards',
		action: 'send',
		description: 'A device came or went.',
		payload: DeviceEvent,
	},
	streamTelemetry: {
		address: STREAMS.telemetry,
		server: 'redis',
		action: 'send',
		description:
			'Stream; field `reading`. Each reading exactly once. Where readings before it are missing, because its gateway ' +
			'could not keep them, the entry has a second field, `gap`: a JSON array of ' +
			'`{gatewayId, from, to, count, reason, firstAt, lastAt}`, from and to being ids of readings.',
		payload: Reading,
	},
	channelTelemetry: {
		address: 'telemetry:{buildingId}',
		server: 'redis',
		action: 'send',
		description: 'Pub/sub: the readings of one building as they come.',
		parameters: { buildingId: 'the building' },
		payload: Reading,
	},
	channelNotifications: {
		address: CHANNELS.notifications,
		server: 'redis',
		action: 'send',
		description: 'Pub/sub: alerts.',
		payload: Alert,
	},
	channelDevices: {
		address: CHANNELS.devices,
		server: 'redis',
		action: 'send',
		description: 'Pub/sub: devices.',
		payload: DeviceEvent,
	},
	streamCommands: {
		address: STREAMS.commands,
		server: 'redis',
		action: 'receive',
		description: 'Stream; field `command`.',
		payload: Command,
	},
	streamCommandResults: {
		address: STREAMS.commandResults,
		server: 'redis',
		action: 'send',
		description: 'Stream; field `result`. Exactly one per command.',
		payload: CommandResult,
	},
};

/** What goes over MQTT, Socket.IO and Redis, as an AsyncAPI 3 document. */
export function asyncApi(version: string): Json {
	const channels = Object.entries(CHANNELS_OF);
	return {
		asyncapi: '3.0.0',
		info: {
			title: 'CrowdVision',
			version,
			description:
				'Readings, alerts and devices as they happen. Retained in Redis, for services only: ' +
				`${Object.values(TABLES).join(', ')}.`,
			license: { name: 'MIT' },
		},
		servers: {
			mqtt: {
				host: 'gateway:1883',
				protocol: 'mqtt',
				protocolVersion: '3.1.1',
				description: 'Also over WebSocket at /mqtt. Username: device id; password: its token.',
			},
			sensors: {
				host: 'crowdvision',
				pathname: '/ingest/socket.io',
				protocol: 'socket.io',
				description: 'auth: {token}, of a device.',
			},
			dashboards: {
				host: 'crowdvision',
				pathname: '/socket.io',
				protocol: 'socket.io',
				description: 'auth: {token}, of an account.',
			},
			redis: { host: 'redis:6379', protocol: 'redis', description: 'Between gateway and services.' },
		},
		channels: Object.fromEntries(
			channels.map(([name, { address, server, description, parameters, payload }]) => [
				name,
				{
					address,
					description,
					servers: [{ $ref: `#/servers/${server}` }],
					...(parameters && {
						parameters: Object.fromEntries(
							Object.entries(parameters).map(([key, means]) => [key, { description: means }]),
						),
					}),
					messages: { message: { payload } },
				},
			]),
		),
		operations: Object.fromEntries(
			channels.map(([name, { action }]) => [`${action}-${name}`, { action, channel: { $ref: `#/channels/${name}` } }]),
		),
	};
}
