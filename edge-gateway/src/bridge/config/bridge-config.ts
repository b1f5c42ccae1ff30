import Type, { type Static } from 'typebox';
import { Duration as AnyDuration, Size as AnySize } from '../../measures.ts';

const closed = { additionalProperties: false };
const Text = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });
const Flag = (description: string) => Type.Boolean({ description });
const Duration = (description: string) => ({ ...AnyDuration, description: `a duration such as 30s: ${description}` });
const Size = (description: string) => ({ ...AnySize, description: `a size such as 1MiB: ${description}` });
/** Pattern of a broker's URL. */
export const BROKER_URL = '^(mqtt|mqtts|ws|wss|tcp|ssl)://[^\\s/]+(/\\S*)?$';
const Url = Type.String({
	pattern: BROKER_URL,
	description: 'the URL of a broker: mqtt://, mqtts://, ws:// or wss://, host and port (default 1883, 8883, 80, 443)',
});
const ClockTime = Type.String({
	pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
	description: 'a time of day such as 22:30, in the time zone of this machine',
});

const TopicConfig = Type.Object(
	{
		pattern: Type.Optional(
			Type.String({
				maxLength: 1024,
				description:
					'topics without their prefix, with the wildcards + and #; default: the single topic that the prefixes name',
			}),
		),
		direction: Type.Optional(
			Type.Enum(['out', 'in', 'both'], {
				description: 'out (default): local messages go to the remote; in: remote messages come here; both',
			}),
		),
		qos: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 2,
				description: 'quality of service on the remote side, in each direction: 0, 1 (default) or 2',
			}),
		),
		localPrefix: Type.Optional(
			Type.String({ maxLength: 1024, description: 'in front of the pattern on the local side; default none' }),
		),
		remotePrefix: Type.Optional(
			Type.String({ maxLength: 1024, description: 'in front of the pattern on the remote side; default none' }),
		),
		retain: Type.Optional(
			Type.Union([Type.Enum(['keep', 'drop']), Type.Boolean()], {
				description:
					'keep or true (default): retained messages stay retained; drop or false: they become ordinary ones',
			}),
		),
		content: Type.Optional(
			Type.Enum(['readings', 'raw'], {
				description:
					'what goes out below telemetry/: readings (default): the canonical readings of all sources, from the log; ' +
					'raw: MQTT messages as devices sent them',
			}),
		),
	},
	closed,
);

const TlsConfig = Type.Object(
	{
		ca: Type.Optional(Text('file with certificate authorities (PEM) to trust instead of those of the system')),
		systemRoots: Type.Optional(
			Flag('trust the authorities of the system in addition to ca; default: only if there is no ca'),
		),
		cert: Type.Optional(Text('file with the client certificate and its chain (PEM)')),
		key: Type.Optional(Text('file with the private key (PEM) of cert')),
		alpn: Type.Optional(Text('application protocol (ALPN) to request, such as mqtt or x-amzn-mqtt-ca')),
		serverName: Type.Optional(Text("name that the broker's certificate must have; default: the host of the URL")),
		minVersion: Type.Optional(
			Type.Enum(['TLSv1.2', 'TLSv1.3'], { description: 'lowest version of TLS to accept; default TLSv1.2' }),
		),
		insecure: Type.Optional(
			Flag(
				"do not verify the broker's certificate: for tests only, as anyone can then pose as the broker; default false",
			),
		),
	},
	closed,
);

/** One entry of `bridges` in gateway.yaml. */
export const BridgeConfig = Type.Object(
	{
		name: Type.String({
			pattern: '^[A-Za-z0-9._-]{1,64}$',
			description: '1..64 of A-Z a-z 0-9 . _ -; unique among the bridges',
		}),
		url: Type.Optional(Url),
		urls: Type.Optional(
			Type.Array(Url, {
				minItems: 1,
				maxItems: 16,
				description:
					'addresses of the same remote, instead of url: the first is preferred, the others are used while it is away',
			}),
		),
		roundRobin: Type.Optional(
			Flag('treat all addresses as equal: stay with one that works instead of returning to the first; default false'),
		),
		returnAfter: Type.Optional(Duration('how often the first address is tried while another is in use; default 60s')),
		username: Type.Optional(Text('user name at the remote')),
		password: Type.Optional(Text('password at the remote; safer in passwordFile')),
		passwordFile: Type.Optional(Text('file with the password; read for each connection')),
		token: Type.Optional(Text('token, such as a JWT, that is sent as the password; safer in tokenFile')),
		tokenFile: Type.Optional(Text('file with the token; read for each connection, so that the token may be renewed')),
		clientId: Type.Optional(Text('client id at the remote; default {gatewayId}.{name}')),
		protocol: Type.Optional(
			Type.Union([Type.Enum(['auto', '3.1.1', '5']), Type.Literal(5)], {
				description:
					'MQTT version towards the remote: 5, 3.1.1, or auto (default): 5, or 3.1.1 if the remote refuses 5',
			}),
		),
		bridgeBit: Type.Optional(
			Flag(
				'mark the connection as a bridge (MQTT 3.1.1), so that the remote returns no own messages and keeps retain ' +
					'flags; left out if the remote refuses it; default true',
			),
		),
		cleanSession: Type.Optional(
			Flag('let the remote discard subscriptions and messages when the connection ends; default false'),
		),
		sessionExpiry: Type.Optional(
			Duration('how long the remote keeps the session while the bridge is away (MQTT 5); default 7d'),
		),
		unsubscribe: Type.Optional(Flag('remove subscriptions of an earlier configuration at the remote; default true')),
		keepAlive: Type.Optional(Duration('longest silence before a ping, 5s to 18h; default 60s')),
		connectTimeout: Type.Optional(Duration('how long connecting may take; default 10s')),
		backOff: Type.Optional(
			Type.Object(
				{ min: Type.Optional(Duration('default 1s')), max: Type.Optional(Duration('default 30s')) },
				{
					...closed,
					description: 'pause between two attempts to connect: begins at min and doubles up to max, with jitter',
				},
			),
		),
		bindAddress: Type.Optional(Text('local address to connect from')),
		start: Type.Optional(
			Type.Enum(['automatic', 'lazy', 'once', 'scheduled'], {
				description:
					'when to connect: automatic (default): always; lazy: when enough messages wait; once: until the connection ' +
					'fails for the first time; scheduled: in the windows of schedule',
			}),
		),
		lazy: Type.Optional(
			Type.Object(
				{
					messages: Type.Optional(Type.Integer({ minimum: 1, description: 'how many messages must wait; default 10' })),
					idle: Type.Optional(Duration('silence after which the connection ends; default 60s')),
				},
				{ ...closed, description: 'for start: lazy' },
			),
		),
		schedule: Type.Optional(
			Type.Array(Type.Object({ from: ClockTime, to: ClockTime }, closed), {
				minItems: 1,
				maxItems: 24,
				description: 'windows for start: scheduled; they may span midnight',
			}),
		),
		maxPacketSize: Type.Optional(
			Size('largest MQTT packet to send or accept; larger messages are dropped and counted; default 1MiB'),
		),
		maxInFlight: Type.Optional(
			Type.Integer({ minimum: 1, maximum: 10_000, description: 'most unacknowledged messages; default 100' }),
		),
		messagesPerSecond: Type.Optional(
			Type.Integer({ minimum: 0, description: 'most messages per second to the remote; 0 (default): no limit' }),
		),
		retain: Type.Optional(Flag('false: send no message as retained, for remotes that refuse them; default true')),
		queue: Type.Optional(
			Type.Object(
				{
					maxBytes: Type.Optional(Size('default 64MiB')),
					maxAge: Type.Optional(Duration('default 7d')),
					whenFull: Type.Optional(
						Type.Enum(['refuse', 'drop-oldest', 'drop-newest'], {
							description:
								'refuse (default): the local sender gets no PUBACK until there is room; otherwise drop and count ' +
								'messages',
						}),
					),
				},
				{ ...closed, description: 'raw messages that wait on disk for the remote; readings wait in the log' },
			),
		),
		state: Type.Optional(
			Type.Object(
				{
					local: Type.Optional(
						Flag('publish the state on the local topic bridge/{name}/state, retained; default true'),
					),
					remoteTopic: Type.Optional(
						Text('topic at the remote for the state, retained and with a last will; default: none'),
					),
				},
				closed,
			),
		),
		tls: Type.Optional(TlsConfig),
		topics: Type.Array(TopicConfig, {
			minItems: 1,
			maxItems: 256,
			description: 'the topics to bridge; the first entry that matches a message counts',
		}),
	},
	closed,
);
export type BridgeConfig = Static<typeof BridgeConfig>;
export type TlsConfig = Static<typeof TlsConfig>;

export const Bridges = Type.Array(BridgeConfig, { maxItems: 64, description: 'connections to remote MQTT brokers' });
