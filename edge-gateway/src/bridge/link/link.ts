import { CheckpointFile, type Log, LogFullError } from '@crowdvision/log';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { ISubscription, Packet } from 'mqtt-packet';
import type { Deliver } from '../../frame.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LocalBroker, LocalMessage } from '../../sources/mqtt/broker/local-broker.ts';
import { overlapFilters } from '../../topics/topic-filter.ts';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import { untilUnwanted } from '../config/start-mode.ts';
import { TopicMap } from '../config/topic-map.ts';
import { EchoAccount } from '../loops/echo-account.ts';
import type { GuardedLink, LoopGuard } from '../loops/loop-guard.ts';
import { isProbeTopic } from '../loops/loop-probe.ts';
import type { ReturnBound } from '../loops/return-bound.ts';
import { BridgeAccount } from './bridge-tally.ts';
import { Inbound, type InboundParts } from './inbound.ts';
import { Inbox } from './inbox.ts';
import type { BridgeReport } from './link-state.ts';
import { LinkStatus, type Traffic } from './link-status.ts';
import { Outbound } from './outbound.ts';
import { Outbox } from './outbox.ts';
import { encodeRaw } from './raw-record.ts';
import { keepConnected, untilFirstIsBack } from './reconnecting.ts';
import type { RemoteConnection } from './remote-connection.ts';

/** Packet ids of messages; those below are for SUBSCRIBE. */
const READING_IDS = { first: 16, count: 32_752 };
const RAW_IDS = { first: 32_768, count: 32_768 };
const ECHO_KEEP_MS = 60_000;
const ECHO_TEST_MS = 300;

export interface LinkParts {
	settings: BridgeSettings;
	gatewayId: string;
	/** The log of readings. */
	log: Log;
	/** The bridge's own log of raw messages. */
	rawLog: Log;
	/** Where it remembers what it has subscribed to. */
	dir: string;
	local: LocalBroker;
	deliver: Deliver;
	decodeBy: InboundParts['decodeBy'];
	guard: LoopGuard;
	bound: ReturnBound;
	/** Whether `link` has sent what came back on another bridge. */
	isReturn: (link: string, localTopic: string, payload: Buffer) => boolean;
	ledger: Ledger;
	logger: Logger;
}

/**
 * One bridge:
 *
 *   log of readings ─▶ cursor ─▶ outbox ─┐                     ┌─▶ intake ─▶ log
 *                                        ├─▶ remote broker ─▶ inbox
 *   local broker ─▶ tap ─▶ own log ─▶ outbox                   └─▶ local broker
 */
export class Link implements GuardedLink {
	readonly name: string;
	readonly topics: TopicMap;
	readonly #out: BridgeAccount;
	readonly #in: BridgeAccount;
	#settings: BridgeSettings;
	readonly #parts: LinkParts;
	readonly #outboxes: Outbox[] = [];
	readonly #outbound: Outbound;
	readonly #inbox: Inbox;
	readonly #echoes = new EchoAccount(ECHO_KEEP_MS);
	/** By local topic, for those who get back on another bridge what was sent here. */
	readonly #returns = new EchoAccount(ECHO_KEEP_MS);
	readonly #status: LinkStatus;
	readonly #subscribed: CheckpointFile<{ url: string; filters: string[] }>;
	readonly #stopping = new AbortController();
	#untap: (() => void)[] = [];
	#running: Promise<void> = Promise.resolve();
	#connection: RemoteConnection | undefined;
	#isEchoed = false;
	#upSince: number | undefined;
	#upBefore = 0;
	#activeAt = performance.now();
	#tokens = 0;
	#tokensAt = performance.now();

	constructor(parts: LinkParts) {
		const { settings, guard, log, rawLog } = parts;
		this.#parts = parts;
		this.#settings = settings;
		this.name = settings.name;
		this.#out = new BridgeAccount(parts.ledger.part('bridge', `${settings.name} out`));
		this.#in = new BridgeAccount(parts.ledger.part('bridge', `${settings.name} in`));
		this.topics = new TopicMap(settings.rules);
		const { gatewayId, local, logger } = parts;
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
		this.#subscribed = new CheckpointFile(`${parts.dir}/subscribed`);
		this.#outbound = new Outbound({
			settings,
			link: this,
			guard,
			onSent: (local, remote, payload) => this.#sent(local, remote, payload),
		});
		const inbound = new Inbound({
			...parts,
			link: this,
			logId: log.id,
			isEcho: (topic, payload) => this.#isEchoed && this.#echoes.take(topic, payload, this.#upMs()),
		});
		this.#inbox = new Inbox(this.#in, (packet) => inbound.take(packet), parts.logger);
		if (sendsReadings(settings))
			this.#outboxes.push(
				this.#outbox(log, cursorName(settings.name), READING_IDS, (record) => this.#outbound.reading(record)),
			);
		if (this.topics.localFilters().length > 0)
			this.#outboxes.push(this.#outbox(rawLog, 'remote', RAW_IDS, (record) => this.#outbound.raw(record)));
	}

	/** Begins to queue. */
	listenIn(): void {
		const { local } = this.#parts;
		const filters = this.topics.localFilters();
		// A message that fits two of them is taken for the first.
		this.#untap = filters.map((filter, index) =>
			local.tap(filter, (message) => this.#tapped(message, filters.slice(0, index))),
		);
	}

	/** Begins to connect. */
	start(): void {
		this.#status.start();
		this.#running = keepConnected(
			{
				gatewayId: this.#parts.gatewayId,
				settings: () => this.#settings,
				queue: { lag: () => this.#lag(), grown: (stopped) => this.#grown(stopped) },
				status: this.#status,
				serve: (...connected) => this.#serve(...connected),
			},
			this.#stopping.signal,
		);
	}

	/** Takes nothing from the remote any more; what is under way is finished. */
	stopInbound(): void {
		this.#inbox.hold(true);
	}

	async stop(): Promise<void> {
		this.#stopping.abort();
		for (const end of this.#untap) end();
		this.#status.stop();
		this.#inbox.stop();
		await this.#running;
	}

	/** Uses other addresses, credentials and the like from the next connecting on. */
	renew(settings: BridgeSettings): void {
		this.#settings = settings;
	}

	report(): BridgeReport {
		return this.#status.report();
	}

	/** Whether this bridge has sent what now came back on another; once for each time it was sent. */
	hasSent(localTopic: string, payload: Buffer): boolean {
		return this.#returns.take(localTopic, payload, this.#upMs());
	}

	sendProbe(topic: string, payload: string): void {
		this.#connection?.send({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false });
	}

	isListening(): boolean {
		return this.#status.phase === 'listening';
	}

	standbyChanged(): void {
		for (const outbox of this.#outboxes) outbox.wake();
		this.#status.tell();
	}

	echoes(): void {
		this.#isEchoed = true;
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

	#outbox(
		log: Log,
		cursor: string,
		ids: { first: number; count: number },
		route: ConstructorParameters<typeof Outbox>[0]['route'],
	): Outbox {
		const { settings, logger } = this.#parts;
		return new Outbox({
			log,
			cursor: log.cursor(cursor),
			ids,
			route,
			account: this.#out,
			maxInFlight: settings.maxInFlight,
			maxPacketSize: settings.maxPacketSize,
			usesQos2: settings.rules.some(({ qos }) => qos === 2),
			pace: (stopped) => this.#pace(stopped),
			may: () => this.#status.phase === 'connected',
			logger,
		});
	}

	/** Resolves when a local message is on disk here, if it is for this bridge at all. */
	#tapped(message: LocalMessage, others: readonly string[]): Promise<void> | undefined {
		if (!this.#outbound.wants(message) || others.some((filter) => overlapFilters(filter, message.topic)))
			return undefined;
		return this.#keep(encodeRaw(message));
	}

	async #keep(payload: Buffer): Promise<void> {
		const { signal } = this.#stopping;
		for (let attempt = 0; ; attempt++) {
			try {
				await this.#parts.rawLog.append([{ payload }]);
				return;
			} catch (error) {
				if (error instanceof RangeError) {
					this.#out.drop('too_large');
					return;
				}
				if (signal.aborted) throw error;
				if (attempt === 0)
					this.#parts.logger.warn(
						{ err: (error as Error).message },
						'bridge: its queue takes nothing for now; senders wait',
					);
				await pause(backOff(attempt, 50, error instanceof LogFullError ? 2000 : 5000), signal);
			}
		}
	}

	/** Works with a connection until it ends. Resolves with the reason. */
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
			connection.listen((packet) => this.#received(packet, connection));
			this.#upSince = performance.now();
			await this.#subscribe(connection, url);
			if (connection.version === 4 && guard.mayEcho(this)) await this.#testEcho(connection, end);
			if (guard.concerns(this)) {
				this.#status.enter('listening');
				guard.connected(this);
				await pause(guard.listenMs, end);
			}
			if (!end.aborted) {
				onUp();
				this.#activeAt = performance.now();
				this.#status.enter('connected');
				this.#inbox.hold(false);
				for (const outbox of this.#outboxes) outbox.attach(connection);
				const reasons = [closed, untilUnwanted(settings, () => performance.now() - this.#activeAt, end)];
				if (isSecond) reasons.push(untilFirstIsBack(settings, end));
				const reason = await Promise.race([...reasons, aborted(this.#stopping.signal)]);
				if (!ended.signal.aborted) await this.#leave(connection, reason);
				return reason;
			}
			if (!ended.signal.aborted) await this.#leave(connection, 'stopped');
			return await closed;
		} finally {
			connection.abort('given up');
			ended.abort();
			this.#upBefore = this.#upMs();
			this.#upSince = undefined;
			this.#connection = undefined;
			this.#inbox.hold(true);
			this.#status.ended();
			guard.disconnected(this);
			await Promise.all(this.#outboxes.map((outbox) => outbox.detach()));
		}
	}

	/** Says goodbye where the remote would otherwise have to find out. */
	async #leave(connection: RemoteConnection, reason: string): Promise<void> {
		this.#status.tellGoodbye();
		await connection.end(reason);
	}

	#received(packet: Packet, connection: RemoteConnection): void {
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
			this.#inbox.publish(packet, connection);
		} else if (packet.cmd === 'pubrel') this.#inbox.release(packet.messageId!, connection);
		else if (packet.cmd === 'puback' || packet.cmd === 'pubrec' || packet.cmd === 'pubcomp') {
			const known = this.#outboxes.some((outbox) => outbox.answered(packet));
			// Of a message of before a crash: the remote waits for its release.
			if (!known && packet.cmd === 'pubrec') connection.send({ cmd: 'pubrel', messageId: packet.messageId! });
		}
	}

	/** Asks for what is not asked for yet: asking again would bring every retained message again. */
	async #subscribe(connection: RemoteConnection, url: string): Promise<void> {
		const wanted = this.topics.remoteFilters();
		const filters = [...wanted].map(([filter, qos]) => `${qos} ${filter}`);
		const { sessionPresent } = connection.allowed;
		const known = this.#subscribed.read().value;
		const before = sessionPresent && known?.url === url ? known.filters : [];
		const topicOf = (spelled: string) => spelled.slice(2);
		const fresh: ISubscription[] = [...wanted]
			.filter(([filter, qos]) => !before.includes(`${qos} ${filter}`))
			.map(([topic, qos]) =>
				connection.version === 5 ? { topic, qos, nl: true, rap: true, rh: sessionPresent ? 1 : 0 } : { topic, qos },
			);
		const stale = (sessionPresent ? (known?.filters ?? []) : []).map(topicOf).filter((filter) => !wanted.has(filter));
		if (this.#settings.unsubscribe) await connection.unsubscribe(stale);
		await connection.subscribe(fresh);
		if (!before || before.join('\n') !== filters.join('\n') || known?.url !== url)
			await this.#subscribed.write({ url, filters });
	}

	/**
	 * Finds out whether the remote gives back what this bridge sends, where the protocol cannot keep it from doing so.
	 */
	async #testEcho(connection: RemoteConnection, end: AbortSignal): Promise<void> {
		const before = this.#isEchoed;
		this.#isEchoed = false;
		this.#parts.guard.probeEcho(this);
		await connection.ping();
		for (let waited = 0; waited < ECHO_TEST_MS && !this.#isEchoed && !end.aborted; waited += 20) await pause(20, end);
		if (before && !this.#isEchoed) this.#echoes.clear();
	}

	#sent(localTopic: string, remoteTopic: string, payload: Buffer): void {
		const { guard, bound } = this.#parts;
		this.#activeAt = performance.now();
		if (this.#isEchoed && this.topics.toLocal(remoteTopic)) this.#echoes.expect(remoteTopic, payload, this.#upMs());
		if (!guard.concerns(this)) return;
		bound.sent(this.name, localTopic, payload, performance.now());
		if (guard.returnsElsewhere(this.name)) this.#returns.expect(localTopic, payload, this.#upMs());
	}

	/** Milliseconds the bridge has been connected, over all its connections. */
	#upMs(): number {
		return this.#upBefore + (this.#upSince === undefined ? 0 : performance.now() - this.#upSince);
	}

	#lag(): number {
		return this.#outboxes.reduce((sum, { lag }) => sum + lag, 0);
	}

	async #grown(signal: AbortSignal): Promise<void> {
		const { log, rawLog } = this.#parts;
		const either = new AbortController();
		const stop = AbortSignal.any([signal, either.signal]);
		const logs = sendsReadings(this.#settings) ? [log, rawLog] : [rawLog];
		await Promise.race(logs.map((one) => one.waitFor(one.endOffset, stop)));
		either.abort();
	}

	/** A token bucket of one second. */
	async #pace(stopped: AbortSignal): Promise<void> {
		const { messagesPerSecond } = this.#settings;
		if (messagesPerSecond === 0) return;
		const now = performance.now();
		this.#tokens = Math.min(messagesPerSecond, this.#tokens + ((now - this.#tokensAt) / 1000) * messagesPerSecond);
		this.#tokensAt = now;
		this.#tokens--;
		if (this.#tokens < 0) await pause((-this.#tokens / messagesPerSecond) * 1000, stopped);
	}
}

/** Name of a bridge's cursor on the log of readings. */
export const cursorName = (name: string) => `bridge:${name}`;

/** Whether readings could go out by this bridge. */
export function sendsReadings({ rules }: BridgeSettings): boolean {
	return rules.some(
		({ direction, content, localPrefix, pattern }) =>
			direction !== 'in' && content === 'readings' && overlapFilters(localPrefix + pattern, 'telemetry/+/+/+'),
	);
}

function aborted(signal: AbortSignal): Promise<string> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve('stopped');
		else signal.addEventListener('abort', () => resolve('stopped'), { once: true });
	});
}
