import Type, { type Static } from 'typebox';
import { Duration, Size } from '../../measures.ts';
import { option, withoutDefault } from '../../options.ts';

const closed = { additionalProperties: false };
const Text = Type.String({ minLength: 1, maxLength: 1024 });
const Flag = Type.Boolean();
/** Pattern of a broker's URL. */
export const BROKER_URL = '^(mqtt|mqtts|ws|wss|tcp|ssl)://[^\\s/]+(/\\S*)?$';
const Url = Type.String({
	pattern: BROKER_URL,
	description:
		'the URL of a broker: mqtt://, mqtts://, ws:// or wss://, host and port (1883, 8883, 80, 443 if left out)',
});
const ClockTime = Type.String({
	pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
	description: 'a time of day such as 22:30, in the time zone of this machine',
});
const Prefix = Type.String({ maxLength: 1024 });

/** An entry of a bridge's `topics`. */
export const TopicConfig = Type.Object(
	{
		pattern: option(
			Type.String({ maxLength: 1024 }),
			'',
			'topics without their prefix, with the wildcards + and #; empty: the single topic that the prefixes name',
		),
		direction: option(
			Type.Enum(['out', 'in', 'both']),
			'out',
			'out: local messages go to the remote; in: remote messages come here; both',
		),
		qos: option(
			Type.Integer({ minimum: 0, maximum: 2 }),
			1,
			'quality of service on the remote side, in each direction: 0, 1 or 2',
		),
		localPrefix: option(Prefix, '', 'in front of the pattern on the local side'),
		remotePrefix: option(Prefix, '', 'in front of the pattern on the remote side'),
		retain: option(
			Type.Union([Type.Enum(['keep', 'drop']), Type.Boolean()]),
			'keep',
			'keep or true: retained messages stay retained; drop or false: they become ordinary ones',
		),
		content: option(
			Type.Enum(['readings', 'raw']),
			'readings',
			'what goes out below telemetry/: readings: the canonical readings of all sources, from the log; raw: MQTT ' +
				'messages as devices sent them',
		),
	},
	closed,
);

/** `tls` of a bridge. */
export const TlsConfig = Type.Object(
	{
		ca: withoutDefault(Text, 'file with certificate authorities (PEM) to trust instead of those of the system'),
		systemRoots: withoutDefault(
			Flag,
			'trust the authorities of the system in addition to ca; default: only if there is no ca',
		),
		cert: withoutDefault(Text, 'file with the client certificate and its chain (PEM)'),
		key: withoutDefault(Text, 'file with the private key (PEM) of cert'),
		alpn: withoutDefault(Text, 'application protocol (ALPN) to request, such as mqtt or x-amzn-mqtt-ca'),
		serverName: withoutDefault(Text, "name that the broker's certificate must have; default: the host of the URL"),
		minVersion: option(Type.Enum(['TLSv1.2', 'TLSv1.3']), 'TLSv1.2', 'lowest version of TLS to accept'),
		insecure: option(
			Flag,
			false,
			"do not verify the broker's certificate: for tests only, as anyone can then pose as the broker",
		),
	},
	closed,
);

/** `backOff` of a bridge. */
export const BackOffConfig = Type.Object(
	{
		min: option(Duration, '1s', 'the first pause'),
		max: option(Duration, '30s', 'the longest pause'),
	},
	{ ...closed, description: 'pause between two attempts to connect: begins at min and doubles up to max, with jitter' },
);

/** `lazy` of a bridge. */
export const LazyConfig = Type.Object(
	{
		messages: option(Type.Integer({ minimum: 1 }), 10, 'how many messages must wait'),
		idle: option(Duration, '60s', 'silence after which the connection ends'),
	},
	{ ...closed, description: 'for start: lazy' },
);

/** `queue` of a bridge. */
export const QueueConfig = Type.Object(
	{
		maxBytes: option(Size, '64MiB', 'how much of the disk the queue may take'),
		maxAge: option(Duration, '7d', 'messages older than this are given up'),
		whenFull: option(
			Type.Enum(['refuse', 'drop-oldest', 'drop-newest']),
			'refuse',
			'refuse: the local sender gets no PUBACK until there is room; otherwise drop and count messages',
		),
	},
	{ ...closed, description: 'raw messages that wait on disk for the remote; readings wait in the log' },
);

/** `state` of a bridge. */
export const StateConfig = Type.Object(
	{
		local: option(Flag, true, 'publish the state on the local topic bridge/{name}/state, retained'),
		remoteTopic: withoutDefault(
			Text,
			'topic at the remote for the state, retained and with a last will; default: none',
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
		urls: withoutDefault(
			Type.Array(Url, { minItems: 1, maxItems: 16 }),
			'addresses of the same remote, instead of url: the first is preferred, the others are used while it is away',
		),
		roundRobin: option(
			Flag,
			false,
			'treat all addresses as equal: stay with one that works instead of returning to the first',
		),
		returnAfter: option(Duration, '60s', 'how often the first address is tried while another is in use'),
		username: withoutDefault(Text, 'user name at the remote'),
		password: withoutDefault(Text, 'password at the remote; safer in passwordFile'),
		passwordFile: withoutDefault(Text, 'file with the password; read for each connection'),
		token: withoutDefault(Text, 'token, such as a JWT, that is sent as the password; safer in tokenFile'),
		tokenFile: withoutDefault(Text, 'file with the token; read for each connection, so that the token may be renewed'),
		clientId: withoutDefault(Text, 'client id at the remote; default: {gatewayId}.{name}'),
		protocol: option(
			Type.Union([Type.Enum(['auto', '3.1.1', '5']), Type.Literal(5)]),
			'auto',
			'MQTT version towards the remote: 5, 3.1.1, or auto: 5, or 3.1.1 if the remote refuses 5',
		),
		bridgeBit: option(
			Flag,
			true,
			'mark the connection as a bridge (MQTT 3.1.1), so that the remote returns no own messages and keeps retain ' +
				'flags; left out if the remote refuses it',
		),
		cleanSession: option(Flag, false, 'let the remote discard subscriptions and messages when the connection ends'),
		sessionExpiry: option(Duration, '7d', 'how long the remote keeps the session while the bridge is away (MQTT 5)'),
		unsubscribe: option(Flag, true, 'remove subscriptions of an earlier configuration at the remote'),
		keepAlive: option(Duration, '60s', 'longest silence before a ping, 5s to 18h'),
		connectTimeout: option(Duration, '10s', 'how long connecting may take'),
		backOff: Type.Optional(BackOffConfig),
		bindAddress: withoutDefault(Text, 'local address to connect from'),
		start: option(
			Type.Enum(['automatic', 'lazy', 'once', 'scheduled']),
			'automatic',
			'when to connect: automatic: always; lazy: when enough messages wait; once: until the connection fails for the ' +
				'first time; scheduled: in the windows of schedule',
		),
		lazy: Type.Optional(LazyConfig),
		schedule: withoutDefault(
			Type.Array(Type.Object({ from: ClockTime, to: ClockTime }, closed), { minItems: 1, maxItems: 24 }),
			'windows for start: scheduled; they may span midnight',
		),
		maxPacketSize: option(
			Size,
			'1MiB',
			'largest MQTT packet to send or accept; larger messages are dropped and counted',
		),
		maxInFlight: option(Type.Integer({ minimum: 1, maximum: 10_000 }), 100, 'most unacknowledged messages'),
		messagesPerSecond: option(Type.Integer({ minimum: 0 }), 0, 'most messages per second to the remote; 0: no limit'),
		retain: option(Flag, true, 'false: send no message as retained, for remotes that refuse them'),
		queue: Type.Optional(QueueConfig),
		state: Type.Optional(StateConfig),
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

/** `bridges` of gateway.yaml. */
export const Bridges = Type.Array(BridgeConfig, { maxItems: 64, description: 'connections to remote MQTT brokers' });
