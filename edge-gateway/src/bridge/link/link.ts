/** One bridge: its connection to a remote broker, and what flows over it in both directions. */
import type { Log } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';
import type { Packet } from 'mqtt-packet';
import type { Deliver } from '../../frame.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LocalBroker } from '../../sources/mqtt/broker/local-broker.ts';
import { overlapFilters } from '../../topics/topic-filter.ts';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import { untilUnwanted } from '../config/start-mode.ts';
import { TopicMap } from '../config/topic-map.ts';
import type { GuardedLink, LoopGuard } from '../loops/loop-guard.ts';
import { isProbeTopic } from '../loops/loop-probe.ts';
import type { RecentSends } from '../loops/recent-sends.ts';
import type { RemoteConnection } from '../remote/remote-connection.ts';
import type { BridgeReport } from './bridge-report.ts';
import { BridgeTally } from './bridge-tally.ts';
import { EchoFilter } from './echo-filter.ts';
import { Inbound, type InboundParts } from './inbound.ts';
import { Inbox } from './inbox.ts';
import { LinkStatus, type Traffic } from './link-status.ts';
import { Outbound } from './outbound.ts';
import { Outbox } from './outbox.ts';
import type { Route } from './outgoing.ts';
import { RawQueue } from './raw-queue.ts';
import { keepConnected, untilFirstIsBack } from './reconnecting.ts';
import { SendRate } from './send-rate.ts';
import { StoredMessages } from './stored-messages.ts';
import { Subscriptions } from './subscriptions.ts';

/** Packet ids of messages. Lower ones are for SUBSCRIBE and UNSUBSCRIBE. */
const READING_IDS = { first: 16, count: 32_752 };
const RAW_IDS = { first: 32_768, count: 32_768 };

export interface LinkParts {
	settings: BridgeSettings;
	gatewayId: string;
	/** The log of readings. */
	log: Log;
	/** The bridge's own log of raw messages. */
	rawLog: Log;
	/** The bridge's own folder. */
	dir: string;
	local: LocalBroker;
	deliver: Deliver;
	decodeBy: InboundParts['decodeBy'];
	guard: LoopGuard;
	sends: RecentSends;
	/** Whether the bridge `link` has sent a message that came back by another bridge. */
	isReturn: (link: string, localTopic: string, payload: Buffer) => boolean;
	ledger: Ledger;
	logger: Logger;
}

/**
 * One bridge:
 *
 *   log of readings ─▶ cursor ──▶ outbox ─┐                   ┌─▶ intake ─▶ log
 *                                         ├─▶ remote broker ─▶ inbox
 *   local broker ─▶ raw queue ─▶ outbox ──┘                   └─▶ local broker
 */
export class Link implements GuardedLink {
	readonly name: string;
	readonly topics: TopicMap;
	readonly #parts: LinkParts;
	#settings: BridgeSettings;
	readonly #out: BridgeTally;
	readonly #in: BridgeTally;
	readonly #queue: RawQueue;
	readonly #outboxes: Outbox[] = [];
	readonly #outbound: Outbound;
	readonly #inbox: Inbox;
	readonly #echoes = new EchoFilter();
	readonly #status: LinkStatus;
	readonly #subscriptions: Subscriptions;
	readonly #stored = new StoredMessages();
	readonly #rate = new SendRate(() => this.#settings.messagesPerSecond);
	readonly #stopping = new AbortController();
	#running: Promise<void> = Promise.resolve();
	#connection: RemoteConnection | undefined;
	/** When the last message was sent or received, monotonic ms. */
	#activeAt = performance.now();

	constructor(parts: LinkParts) {
		const { settings, guard, log, rawLog, gatewayId, local, logger, ledger } = parts;
		this.#parts = parts;
		this.#settings = settings;
		this.name = settings.name;
		this.#out = new BridgeTally(ledger.part('bridge', `${settings.name} out`));
		this.#in = new BridgeTally(ledger.part('bridge', `${settings.name} in`));
		this.topics = new TopicMap(settings.rules);
		this.#subscriptions = new Subscriptions(parts.dir);
		this.#status = new LinkStatus({
			name: settings.name,
			gatewayId,
			local,
			logger,
			topics: () => this.#settings.state,
			traffic: (now) => this.#traffic(now),
			publishRemotely: (topic, payload) =>
				this.#connection?.send({ cmd: 'publish', topic, payload, qos: 0, retain: true, dup: false }),
		});
		this.#outbound = new Outbound({
			settings,
			link: this,
			guard,
			onSent: (localTopic, remoteTopic, payload) => this.#onSent(localTopic, remoteTopic, payload),
		});
		const inbound = new Inbound({
			...parts,
			link: this,
			logId: log.id,
			isEcho: (topic, payload) => this.#echoes.isEcho(topic, payload),
			isStored: (packet) => this.#stored.has(packet),
		});
		this.#inbox = new Inbox(this.#in, (packet) => inbound.take(packet), logger);
		const filters = this.topics.localFilters();
		const wants = this.#outbound.wants.bind(this.#outbound);
		const wantsTopic = this.#outbound.wantsTopic.bind(this.#outbound);
		this.#queue = new RawQueue({ local, log: rawLog, filters, wants, wantsTopic, tally: this.#out, logger });
		if (sendsReadings(settings))
			this.#outboxes.push(
				this.#outbox(log, cursorName(settings.name), READING_IDS, (record) => this.#outbound.reading(record)),
			);
		if (filters.length > 0)
			this.#outboxes.push(this.#outbox(rawLog, 'remote', RAW_IDS, (record) => this.#outbound.raw(record)));
	}

	/** Begins to queue local messages. */
	openQueue(): void {
		this.#queue.open();
	}

	/** Begins to connect. */
	start(): void {
		this.#status.start();
		this.#running = keepConnected(
			{
				gatewayId: this.#parts.gatewayId,
				settings: () => this.#settings,
				queue: { lag: () => this.#lag(), grown: (signal) => this.#grown(signal) },
				status: this.#status,
				serve: (...connected) => this.#serve(...connected),
			},
			this.#stopping.signal,
		);
	}

	/** Takes no further messages from the remote; those under way are finished. */
	stopInbound(): void {
		this.#inbox.hold(true);
	}

	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#queue.close();
		this.#status.stop();
		this.#inbox.stop();
		await this.#running;
	}

	/** Applies settings that count from the next connection on, such as addresses and credentials. */
	applyLater(settings: BridgeSettings): void {
		this.#settings = settings;
	}

	report(): BridgeReport {
		return this.#status.report();
	}

	/** Whether this bridge has sent a message that came back by another one; true once for each time it was sent. */
	hasSent(localTopic: string, payload: Buffer): boolean {
		return this.#echoes.isReturn(localTopic, payload);
	}

	sendProbe(topic: string, payload: string): void {
		this.#connection?.send({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false });
	}

	isListening(): boolean {
		return this.#status.phase === 'listening';
	}

	onStandbyChange(): void {
		for (const outbox of this.#outboxes) outbox.wake();
		this.#status.publish();
	}

	onEcho(): void {
		this.#echoes.probeReturned();
	}

	#traffic(now: number): Traffic {
		const oldest = Math.min(...this.#outboxes.map(({ oldestAt }) => oldestAt ?? now));
		return {
			protocol: this.#connection && (this.#connection.version === 5 ? '5' : '3.1.1'),
			standbyFor: this.#parts.guard.standbyFor(this.name),
			queued: this.#lag(),
			lag: this.#lag() === 0 ? 0 : Math.max(0, now - oldest),
			delivered: this.#out.delivered,
			received: this.#in.received,
			echoesDropped: this.#in.dropped('echo'),
			duplicates: { sent: this.#outboxes.reduce((sum, { resent }) => sum + resent, 0), received: this.#inbox.repeated },
			out: this.#out.summary(),
			in: this.#in.summary(),
		};
	}

	#outbox(log: Log, cursor: string, ids: { first: number; count: number }, route: Route): Outbox {
		const { settings, logger } = this.#parts;
		return new Outbox({
			log,
			cursor: log.cursor(cursor),
			ids,
			route,
			tally: this.#out,
			maxInFlight: settings.maxInFlight,
			maxPacketSize: settings.maxPacketSize,
			usesQos2: settings.rules.some(({ qos }) => qos === 2),
			untilAllowed: (signal) => this.#rate.next(signal),
			maySend: () => this.#status.phase === 'connected',
			stopping: this.#stopping.signal,
			logger,
		});
	}

	/** Uses a connection until it ends; see Serve. */
	async #serve(connection: RemoteConnection, url: string, isSecond: boolean, onUp: () => void): Promise<string> {
		const { guard } = this.#parts;
		const settings = this.#settings;
		const ended = new AbortController();
		const end = AbortSignal.any([ended.signal, this.#stopping.signal]);
		const closed = connection.closed.finally(() => ended.abort());
		try {
			this.#connection = connection;
			this.#inbox.hold(true);
			this.#inbox.begin(connection.allowed.sessionPresent);
			connection.listen((packet) => this.#onPacket(packet, connection));
			this.#echoes.connected();
			const { unsubscribe } = settings;
			const wanted = { url, filters: this.topics.remoteFilters(), unsubscribe };
			await this.#subscriptions.update(connection, wanted, () => this.#stored.begin());
			this.#stored.subscribed(performance.now());
			// With MQTT 5 the option "no local" keeps the remote from sending echoes.
			if (connection.version === 4 && guard.mayEcho(this)) await this.#testEchoes(connection, end);
			if (guard.mayLoop(this)) {
				this.#status.enter('listening');
				guard.connected(this);
				await pause(guard.listenMs, end);
			}
			let reason = 'stopped';
			if (!end.aborted) {
				onUp();
				this.#activeAt = performance.now();
				this.#status.enter('connected');
				this.#inbox.hold(false);
				for (const outbox of this.#outboxes) outbox.attach(connection);
				const reasons = [closed, untilUnwanted(settings, () => performance.now() - this.#activeAt, end)];
				if (isSecond) reasons.push(untilFirstIsBack(settings, end));
				reason = await Promise.race([...reasons, stopped(this.#stopping.signal)]);
			}
			if (ended.signal.aborted) return await closed;
			this.#status.publishGoodbye();
			await connection.end(reason);
			return reason;
		} finally {
			connection.abort('given up');
			ended.abort();
			this.#echoes.disconnected();
			this.#connection = undefined;
			this.#inbox.hold(true);
			this.#status.ended();
			guard.disconnected(this);
			await Promise.all(this.#outboxes.map((outbox) => outbox.detach()));
		}
	}

	#onPacket(packet: Packet, connection: RemoteConnection): void {
		if (packet.cmd === 'publish') {
			if (
				isProbeTopic(packet.topic) &&
				this.#parts.guard.received(this, packet.topic, packet.payload as Buffer, performance.now())
			) {
				if (packet.qos === 1) connection.send({ cmd: 'puback', messageId: packet.messageId! });
				else if (packet.qos === 2) connection.send({ cmd: 'pubrec', messageId: packet.messageId! });
				return;
			}
			this.#activeAt = performance.now();
			this.#stored.arrived(packet, this.#activeAt);
			this.#inbox.publish(packet, connection);
		} else if (packet.cmd === 'pubrel') this.#inbox.release(packet.messageId!, connection);
		else if (packet.cmd === 'puback' || packet.cmd === 'pubrec' || packet.cmd === 'pubcomp') {
			const isKnown = this.#outboxes.some((outbox) => outbox.answered(packet));
			// A PUBREC for a message from before a crash: the remote waits for its release.
			if (!isKnown && packet.cmd === 'pubrec') connection.send({ cmd: 'pubrel', messageId: packet.messageId! });
		}
	}

	/** Finds out whether the remote sends back what this bridge sends. */
	#testEchoes(connection: RemoteConnection, end: AbortSignal): Promise<void> {
		return this.#echoes.test(async () => {
			this.#parts.guard.probeEcho(this);
			await connection.ping();
		}, end);
	}

	#onSent(localTopic: string, remoteTopic: string, payload: Buffer): void {
		const { guard, sends } = this.#parts;
		this.#activeAt = performance.now();
		if (this.#echoes.remoteEchoes && this.topics.toLocal(remoteTopic)) this.#echoes.expectEcho(remoteTopic, payload);
		if (!guard.mayLoop(this)) return;
		sends.sent(this.name, localTopic, payload, performance.now());
		if (guard.returnsElsewhere(this.name)) this.#echoes.expectReturn(localTopic, payload);
	}

	#lag(): number {
		return this.#outboxes.reduce((sum, { lag }) => sum + lag, 0);
	}

	/** Resolves when one of the logs has grown, or `signal` aborts. */
	async #grown(signal: AbortSignal): Promise<void> {
		const { log, rawLog } = this.#parts;
		const either = new AbortController();
		const stop = AbortSignal.any([signal, either.signal]);
		const logs = sendsReadings(this.#settings) ? [log, rawLog] : [rawLog];
		await Promise.race(logs.map((one) => one.waitFor(one.endOffset, stop)));
		either.abort();
	}
}

/** Name of a bridge's cursor on the log of readings. */
export const cursorName = (name: string) => `bridge:${name}`;

/** Whether readings could go out by a bridge. */
export function sendsReadings({ rules }: BridgeSettings): boolean {
	return rules.some(
		({ direction, content, localPrefix, pattern }) =>
			direction !== 'in' && content === 'readings' && overlapFilters(localPrefix + pattern, 'telemetry/+/+/+'),
	);
}

/** Resolves with `stopped` when `signal` aborts. */
function stopped(signal: AbortSignal): Promise<string> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve('stopped');
		else signal.addEventListener('abort', () => resolve('stopped'), { once: true });
	});
}
