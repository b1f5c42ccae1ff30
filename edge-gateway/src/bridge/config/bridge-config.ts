import type { Problem } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration as AnyDuration, Size as AnySize, bytes, milliseconds, timerMilliseconds } from '../../measures.ts';
import { coversFilter, filterProblem, overlapFilters } from '../../topics/topic-filter.ts';

const closed = { additionalProperties: false };
const Text = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });
const Flag = (description: string) => Type.Boolean({ description });
const Duration = (description: string) => ({ ...AnyDuration, description: `a duration such as 30s: ${description}` });
const Size = (description: string) => ({ ...AnySize, description: `a size such as 1MiB: ${description}` });
const BROKER_URL = '^(mqtt|mqtts|ws|wss|tcp|ssl)://[^\\s/]+(/\\S*)?$';
const Url = Type.String({
	pattern: BROKER_URL,
	description: 'the URL of a broker: mqtt://, mqtts://, ws:// or wss://, host and port (default 1883, 8883, 80, 443)',
});
const ClockTime = Type.String({
	pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
	description: 'a time of day such as 22:30, by the clock of this machine',
});

const TopicConfig = Type.Object(
	{
		pattern: Type.Optional(
			Type.String({
				maxLength: 1024,
				description:
					'topics without their prefix, with the wildcards + and #; left out: the one topic that the prefixes name',
			}),
		),
		direction: Type.Optional(
			Type.Enum(['out', 'in', 'both'], {
				description: 'out (default): local messages go to the remote; in: remote ones come here; both',
			}),
		),
		qos: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 2,
				description: 'quality of service 0, 1 (default) or 2 on the remote side, in each direction',
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
				description: 'keep or true (default): retained messages are passed on as such; drop or false: as ordinary ones',
			}),
		),
		content: Type.Optional(
			Type.Enum(['readings', 'raw'], {
				description:
					'what goes out below telemetry/: readings (default): the canonical readings of all sources, out of the log; raw: MQTT messages as devices sent them',
			}),
		),
	},
	closed,
);

const TlsConfig = Type.Object(
	{
		ca: Type.Optional(
			Text('file with the certificates (PEM) of the authorities that are believed, instead of those of the system'),
		),
		systemRoots: Type.Optional(
			Flag('believe the authorities of the system too, beside those of ca; default only where ca is not given'),
		),
		cert: Type.Optional(Text('file with the client certificate and its chain (PEM)')),
		key: Type.Optional(Text('file with the private key (PEM) of cert')),
		alpn: Type.Optional(Text('application protocol to ask for, such as mqtt or x-amzn-mqtt-ca')),
		serverName: Type.Optional(Text("name that the broker's certificate must bear; default the host of the URL")),
		minVersion: Type.Optional(
			Type.Enum(['TLSv1.2', 'TLSv1.3'], { description: 'lowest version of TLS that is spoken; default TLSv1.2' }),
		),
		insecure: Type.Optional(
			Flag(
				"do not verify the broker's certificate: for tests only, as anybody can then pretend to be the broker; default false",
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
					'addresses of the same remote, instead of url: the first is preferred, the others are for when it is away',
			}),
		),
		roundRobin: Type.Optional(
			Flag('treat all addresses as equals: stay where the bridge is instead of returning to the first; default false'),
		),
		returnAfter: Type.Optional(
			Duration('how often the first address is tried while the bridge is on another; default 60s'),
		),
		username: Type.Optional(Text('user name at the remote')),
		password: Type.Optional(Text('password at the remote; better in passwordFile')),
		passwordFile: Type.Optional(Text('file that holds the password; read at each connecting')),
		token: Type.Optional(Text('token, such as a JWT, given as the password; better in tokenFile')),
		tokenFile: Type.Optional(Text('file that holds the token; read at each connecting, so that it may be renewed')),
		clientId: Type.Optional(Text('client id at the remote; default {gatewayId}.{name}')),
		protocol: Type.Optional(
			Type.Union([Type.Enum(['auto', '3.1.1', '5']), Type.Literal(5)], {
				description: 'MQTT version towards the remote: 5, 3.1.1, or auto (default): 5, and 3.1.1 where that is refused',
			}),
		),
		bridgeBit: Type.Optional(
			Flag(
				'with MQTT 3.1.1 tell the remote that this is a bridge, so that it returns nothing and keeps retain flags; where it is refused, do without; default true',
			),
		),
		cleanSession: Type.Optional(
			Flag('let the remote forget subscriptions and messages when the connection ends; default false'),
		),
		sessionExpiry: Type.Optional(
			Duration('how long the remote keeps the session of an absent bridge (MQTT 5); default 7d'),
		),
		unsubscribe: Type.Optional(Flag('end subscriptions of an earlier configuration at the remote; default true')),
		keepAlive: Type.Optional(Duration('longest silence before a ping, 5s to 18h; default 60s')),
		connectTimeout: Type.Optional(Duration('how long connecting may take; default 10s')),
		backOff: Type.Optional(
			Type.Object(
				{ min: Type.Optional(Duration('default 1s')), max: Type.Optional(Duration('default 30s')) },
				{
					...closed,
					description: 'pause between two tries: begins at min, doubles up to max, with jitter',
				},
			),
		),
		bindAddress: Type.Optional(Text('local address to connect from')),
		start: Type.Optional(
			Type.Enum(['automatic', 'lazy', 'once', 'scheduled'], {
				description:
					'automatic (default): always connected; lazy: when enough messages wait; once: not again after the connection failed; scheduled: in the windows of schedule',
			}),
		),
		lazy: Type.Optional(
			Type.Object(
				{
					messages: Type.Optional(Type.Integer({ minimum: 1, description: 'so many messages must wait; default 10' })),
					idle: Type.Optional(Duration('silence after which the connection is ended; default 60s')),
				},
				{ ...closed, description: 'for start: lazy' },
			),
		),
		schedule: Type.Optional(
			Type.Array(Type.Object({ from: ClockTime, to: ClockTime }, closed), {
				minItems: 1,
				maxItems: 24,
				description: 'for start: scheduled; a window may span midnight',
			}),
		),
		maxPacketSize: Type.Optional(
			Size('largest MQTT packet sent or taken; larger messages are dropped and counted; default 1MiB'),
		),
		maxInFlight: Type.Optional(
			Type.Integer({ minimum: 1, maximum: 10_000, description: 'messages sent and not yet acknowledged; default 100' }),
		),
		messagesPerSecond: Type.Optional(
			Type.Integer({ minimum: 0, description: 'bound of the rate towards the remote; 0 (default): none' }),
		),
		retain: Type.Optional(Flag('false: nothing is sent as retained, for remotes that refuse it; default true')),
		queue: Type.Optional(
			Type.Object(
				{
					maxBytes: Type.Optional(Size('default 64MiB')),
					maxAge: Type.Optional(Duration('default 7d')),
					whenFull: Type.Optional(
						Type.Enum(['refuse', 'drop-oldest', 'drop-newest'], {
							description:
								'refuse (default): the local sender gets no PUBACK until there is room; or drop, and count it',
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
						Flag('publish the state, retained, on the local topic bridge/{name}/state; default true'),
					),
					remoteTopic: Type.Optional(
						Text('publish it on this topic of the remote too, retained, with a last will; default: do not'),
					),
				},
				closed,
			),
		),
		tls: Type.Optional(TlsConfig),
		topics: Type.Array(TopicConfig, {
			minItems: 1,
			maxItems: 256,
			description: 'what is bridged; of the entries that fit a message the first counts',
		}),
	},
	closed,
);
export type BridgeConfig = Static<typeof BridgeConfig>;
export type TlsConfig = Static<typeof TlsConfig>;

export const Bridges = Type.Array(BridgeConfig, { maxItems: 64, description: 'connections to remote MQTT brokers' });

/** One `topics` entry with its defaults. */
export interface TopicRule {
	pattern: string;
	direction: 'out' | 'in' | 'both';
	qos: 0 | 1 | 2;
	localPrefix: string;
	remotePrefix: string;
	keepRetain: boolean;
	content: 'readings' | 'raw';
}

/** A bridge with its defaults; durations in ms, sizes in bytes. */
export interface BridgeSettings {
	name: string;
	urls: string[];
	roundRobin: boolean;
	returnAfterMs: number;
	username: string | undefined;
	secret: { text: string } | { file: string } | undefined;
	clientId: string;
	protocol: 'auto' | '3.1.1' | '5';
	bridgeBit: boolean;
	cleanSession: boolean;
	sessionExpiryMs: number;
	unsubscribe: boolean;
	keepAliveMs: number;
	connectTimeoutMs: number;
	backOff: { minMs: number; maxMs: number };
	bindAddress: string | undefined;
	start: 'automatic' | 'lazy' | 'once' | 'scheduled';
	lazy: { messages: number; idleMs: number };
	schedule: { from: string; to: string }[];
	maxPacketSize: number;
	maxInFlight: number;
	messagesPerSecond: number;
	retain: boolean;
	queue: { maxBytes: number; maxAgeMs: number; whenFull: 'refuse' | 'drop-oldest' | 'drop-newest' };
	state: { local: boolean; remoteTopic: string | undefined };
	tls: TlsConfig;
	rules: TopicRule[];
}

/** Fills in what a checked entry leaves out. */
export function bridgeSettings(config: BridgeConfig, gatewayId: string): BridgeSettings {
	const {
		name,
		url,
		urls = url === undefined ? [] : [url],
		password,
		passwordFile,
		token,
		tokenFile,
		protocol = 'auto',
		queue = {},
	} = config;
	const text = token ?? password;
	const file = tokenFile ?? passwordFile;
	return {
		name,
		urls,
		roundRobin: config.roundRobin ?? false,
		returnAfterMs: timerMilliseconds(config.returnAfter ?? '60s'),
		username: config.username,
		secret: text !== undefined ? { text } : file !== undefined ? { file } : undefined,
		clientId: config.clientId ?? `${gatewayId}.${name}`,
		protocol: String(protocol) as BridgeSettings['protocol'],
		bridgeBit: config.bridgeBit ?? true,
		cleanSession: config.cleanSession ?? false,
		sessionExpiryMs: milliseconds(config.sessionExpiry ?? '7d'),
		unsubscribe: config.unsubscribe ?? true,
		keepAliveMs: timerMilliseconds(config.keepAlive ?? '60s'),
		connectTimeoutMs: timerMilliseconds(config.connectTimeout ?? '10s'),
		backOff: {
			minMs: timerMilliseconds(config.backOff?.min ?? '1s'),
			maxMs: timerMilliseconds(config.backOff?.max ?? '30s'),
		},
		bindAddress: config.bindAddress,
		start: config.start ?? 'automatic',
		lazy: { messages: config.lazy?.messages ?? 10, idleMs: timerMilliseconds(config.lazy?.idle ?? '60s') },
		schedule: config.schedule ?? [],
		maxPacketSize: bytes(config.maxPacketSize ?? '1MiB'),
		maxInFlight: config.maxInFlight ?? 100,
		messagesPerSecond: config.messagesPerSecond ?? 0,
		retain: config.retain ?? true,
		queue: {
			maxBytes: bytes(queue.maxBytes ?? '64MiB'),
			maxAgeMs: milliseconds(queue.maxAge ?? '7d'),
			whenFull: queue.whenFull ?? 'refuse',
		},
		state: { local: config.state?.local ?? true, remoteTopic: config.state?.remoteTopic },
		tls: config.tls ?? {},
		rules: config.topics.map(
			({
				pattern = '',
				direction = 'out',
				qos = 1,
				localPrefix = '',
				remotePrefix = '',
				retain = 'keep',
				content = 'readings',
			}) => ({
				pattern,
				direction,
				qos: qos as TopicRule['qos'],
				localPrefix,
				remotePrefix,
				keepRetain: retain === 'keep' || retain === true,
				content,
			}),
		),
	};
}

/**
 * What no schema can say about `bridges`: names that are taken, ways in that exclude each other, patterns that are
 * none. `value` may be anything.
 */
export function bridgeProblems(value: unknown): Problem[] {
	if (!Array.isArray(value)) return [];
	const names = new Set<unknown>();
	return value.flatMap((bridge: Partial<BridgeConfig> | null, index) => {
		if (typeof bridge !== 'object' || bridge === null) return [];
		const at = `/bridges/${index}`;
		const problems: Problem[] = [];
		const has = (key: keyof BridgeConfig) => Object.hasOwn(bridge, key);
		if (names.has(bridge.name)) problems.push({ path: `${at}/name`, message: 'is the name of another bridge already' });
		names.add(bridge.name);
		if (has('url') === has('urls')) problems.push({ path: at, message: 'must have one of url, urls' });
		problems.push(...urlProblems(bridge.url, `${at}/url`));
		if (Array.isArray(bridge.urls))
			problems.push(...bridge.urls.flatMap((url: unknown, n) => urlProblems(url, `${at}/urls/${n}`)));
		const secrets = (['password', 'passwordFile', 'token', 'tokenFile'] as const).filter(has);
		if (secrets.length > 1) problems.push({ path: at, message: `must have at most one of ${secrets.join(', ')}` });
		if ((bridge.start === 'scheduled') !== has('schedule'))
			problems.push({ path: at, message: 'must have schedule where start is scheduled, and only there' });
		if (has('lazy') && bridge.start !== 'lazy')
			problems.push({ path: `${at}/lazy`, message: 'is only for start: lazy' });
		if (bridge.tls && (bridge.tls.cert === undefined) !== (bridge.tls.key === undefined))
			problems.push({ path: `${at}/tls`, message: 'must have cert and key together' });
		return [...problems, ...(Array.isArray(bridge.topics) ? topicProblems(bridge.topics, `${at}/topics`) : [])];
	});
}

/** What a pattern cannot say of a URL: a port that is none. And what would be shown, or silently not used. */
function urlProblems(url: unknown, path: string): Problem[] {
	if (typeof url !== 'string' || !new RegExp(BROKER_URL).test(url)) return [];
	const parsed = URL.parse(url);
	if (!parsed?.hostname)
		return [{ path, message: 'must be a URL such as mqtts://broker.example:8883, with a port up to 65535' }];
	if (parsed.username || parsed.password)
		return [{ path, message: 'must be without user and password: they go into username and passwordFile' }];
	return [];
}

function topicProblems(topics: readonly unknown[], at: string): Problem[] {
	const problems: Problem[] = [];
	const incoming: { filter: string; index: number }[] = [];
	topics.forEach((topic, index) => {
		if (typeof topic !== 'object' || topic === null) return;
		const { pattern = '', localPrefix = '', remotePrefix = '', direction } = topic as Record<string, unknown>;
		if (typeof pattern !== 'string' || typeof localPrefix !== 'string' || typeof remotePrefix !== 'string') return;
		const path = `${at}/${index}`;
		if (pattern === '' && (localPrefix === '' || remotePrefix === '')) {
			problems.push({ path, message: 'must have a pattern, or both localPrefix and remotePrefix' });
			return;
		}
		for (const [key, prefix] of [
			['localPrefix', localPrefix],
			['remotePrefix', remotePrefix],
		] as const)
			if (/[+#\0]/.test(prefix)) problems.push({ path: `${path}/${key}`, message: 'must be without + and #' });
		const wrong = filterProblem(remotePrefix + pattern) ?? filterProblem(localPrefix + pattern);
		if (wrong) problems.push({ path: `${path}/pattern`, message: wrong });
		if (direction !== 'in' && direction !== 'both') return;
		const filter = remotePrefix + pattern;
		// A broker may deliver a message once for each subscription that it fits (MQTT 3.1.1 section 3.3.5).
		const other = incoming.find(
			(one) =>
				overlapFilters(one.filter, filter) && !coversFilter(one.filter, filter) && !coversFilter(filter, one.filter),
		);
		if (other)
			problems.push({
				path,
				message: `overlaps topics.${other.index} in part, so that the remote could deliver a message twice; let one cover the other`,
			});
		incoming.push({ filter, index });
	});
	return problems;
}
