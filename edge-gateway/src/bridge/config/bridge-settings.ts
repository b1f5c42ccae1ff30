import type { Static } from 'typebox';
import { bytes, milliseconds, timerMilliseconds } from '../../measures.ts';
import { filled } from '../../options.ts';
import {
	BackOffConfig,
	BridgeConfig,
	LazyConfig,
	QueueConfig,
	StateConfig,
	type TlsConfig,
	TopicConfig,
} from './bridge-config.ts';

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
	const whole = filled(BridgeConfig, config);
	const { name, url, urls = url === undefined ? [] : [url] } = whole;
	const text = whole.token ?? whole.password;
	const file = whole.tokenFile ?? whole.passwordFile;
	const backOff = filled(BackOffConfig, whole.backOff);
	const lazy = filled(LazyConfig, whole.lazy);
	const queue = filled(QueueConfig, whole.queue);
	const state = filled(StateConfig, whole.state);
	return {
		name,
		urls,
		roundRobin: whole.roundRobin,
		returnAfterMs: timerMilliseconds(whole.returnAfter),
		username: whole.username,
		secret: text !== undefined ? { text } : file !== undefined ? { file } : undefined,
		clientId: whole.clientId ?? `${gatewayId}.${name}`,
		protocol: String(whole.protocol) as BridgeSettings['protocol'],
		bridgeBit: whole.bridgeBit,
		cleanSession: whole.cleanSession,
		sessionExpiryMs: milliseconds(whole.sessionExpiry),
		unsubscribe: whole.unsubscribe,
		keepAliveMs: timerMilliseconds(whole.keepAlive),
		connectTimeoutMs: timerMilliseconds(whole.connectTimeout),
		backOff: { minMs: timerMilliseconds(backOff.min), maxMs: timerMilliseconds(backOff.max) },
		bindAddress: whole.bindAddress,
		start: whole.start,
		lazy: { messages: lazy.messages, idleMs: timerMilliseconds(lazy.idle) },
		schedule: whole.schedule ?? [],
		maxPacketSize: bytes(whole.maxPacketSize),
		maxInFlight: whole.maxInFlight,
		messagesPerSecond: whole.messagesPerSecond,
		retain: whole.retain,
		queue: { maxBytes: bytes(queue.maxBytes), maxAgeMs: milliseconds(queue.maxAge), whenFull: queue.whenFull },
		state: { local: state.local, remoteTopic: state.remoteTopic },
		tls: whole.tls ?? {},
		rules: whole.topics.map(topicRule),
	};
}

function topicRule(topic: Static<typeof TopicConfig>): TopicRule {
	const { pattern, direction, qos, localPrefix, remotePrefix, retain, content } = filled(TopicConfig, topic);
	const keepRetain = retain === 'keep' || retain === true;
	return { pattern, direction, qos: qos as TopicRule['qos'], localPrefix, remotePrefix, keepRetain, content };
}
