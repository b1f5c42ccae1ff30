import { bytes, milliseconds, timerMilliseconds } from '../../measures.ts';
import type { BridgeConfig, TlsConfig } from './bridge-config.ts';

/** One entry of a bridge's `topics`, with defaults filled in. */
export interface TopicRule {
	/** Empty: the single topic that the prefixes name. */
	pattern: string;
	direction: 'out' | 'in' | 'both';
	qos: 0 | 1 | 2;
	localPrefix: string;
	remotePrefix: string;
	keepRetain: boolean;
	content: 'readings' | 'raw';
}

/** A bridge with defaults filled in. Durations in ms, sizes in bytes. */
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

/** The settings of a valid entry of `bridges`. */
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
