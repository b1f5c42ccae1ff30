/** Opens, restarts and reports the bridges to remote MQTT brokers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommitWorker, Log } from '@crowdvision/log';
import { type Logger, type Registry as Metrics, makeFolder, writeAtomicallySync } from '@crowdvision/service-kit';
import type { Deliver } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import type { BridgeConfig } from './config/bridge-config.ts';
import { type BridgeSettings, bridgeSettings } from './config/bridge-settings.ts';
import type { BridgeReport } from './link/bridge-report.ts';
import type { InboundParts } from './link/inbound.ts';
import { cursorName, Link, sendsReadings } from './link/link.ts';
import { LoopGuard } from './loops/loop-guard.ts';
import { RecentSends } from './loops/recent-sends.ts';
import { registerBridgeMetrics } from './metrics.ts';

export interface BridgesParts {
	gatewayId: string;
	/** The folder for all bridges; each has one below. */
	dir: string;
	log: Log;
	worker: CommitWorker;
	local: LocalBroker;
	deliver: Deliver;
	decodeBy: InboundParts['decodeBy'];
	ledger: Ledger;
	logger: Logger;
}

interface Running {
	link: Link;
	rawLog: Log;
	settings: BridgeSettings;
}

/** All bridges of the gateway. */
export class Bridges {
	readonly #parts: BridgesParts;
	readonly #running = new Map<string, Running>();
	readonly #guard: LoopGuard;
	readonly #sends = new RecentSends();
	#updating: Promise<void> = Promise.resolve();
	#hasBegun = false;

	constructor(parts: BridgesParts) {
		this.#parts = parts;
		// The id of the log tells gateways apart: every new Pi is called raspberrypi.
		this.#guard = new LoopGuard(`${parts.gatewayId}:${parts.log.id}`.replaceAll(' ', '-'), parts.logger);
	}

	/**
	 * Applies a configuration. A bridge whose topics and queue stay the same keeps its connection; changed credentials,
	 * certificates and addresses count from its next connection on. The queue of a removed bridge stays in its folder.
	 */
	update(configs: readonly BridgeConfig[]): Promise<void> {
		this.#updating = this.#updating
			.catch(() => undefined)
			.then(() => this.#update(configs.map((config) => bridgeSettings(config, this.#parts.gatewayId))));
		return this.#updating;
	}

	async #update(wanted: BridgeSettings[]): Promise<void> {
		for (const [name, { link, settings }] of this.#running) {
			const next = wanted.find((one) => one.name === name);
			if (next && mayStayConnected(settings, next)) {
				link.applyLater(next);
				this.#running.get(name)!.settings = next;
			} else await this.#end(name);
		}
		this.#removeStaleCursors(wanted);
		const added = wanted.filter(({ name }) => !this.#running.has(name));
		for (const settings of added) await this.#open(settings);
		this.#guard.watch(wanted.map(({ name }) => this.#running.get(name)!.link));
		for (const { name } of added) {
			const { link } = this.#running.get(name)!;
			link.openQueue();
			if (this.#hasBegun) link.start();
		}
	}

	/**
	 * Lets the bridges connect, also those of later configurations. Until then they only queue messages, so that none is
	 * missed that clients publish before.
	 */
	begin(): void {
		this.#hasBegun = true;
		for (const { link } of this.#running.values()) link.start();
	}

	/** The reports of all bridges, in the order of the configuration. */
	list(): BridgeReport[] {
		return [...this.#running.values()].map(({ link }) => link.report());
	}

	/** The reason why each bridge (`bridge {name}`) is not connected, for a person; undefined when it is. */
	troubles(): Record<string, string | undefined> {
		return Object.fromEntries(
			this.list().map(({ name, state, lastFailure }) => {
				const isDown = state === 'connecting' || state === 'disconnected';
				return [`bridge ${name}`, isDown ? (lastFailure?.reason ?? state) : undefined];
			}),
		);
	}

	/** Takes no further messages from the remotes. */
	stopInbound(): void {
		for (const { link } of this.#running.values()) link.stopInbound();
	}

	async stop(): Promise<void> {
		await this.#updating.catch(() => undefined);
		this.#guard.stop();
		await Promise.all([...this.#running.keys()].map((name) => this.#end(name)));
	}

	register(metrics: Metrics): void {
		registerBridgeMetrics(metrics, () => this.list());
	}

	async #open(settings: BridgeSettings): Promise<void> {
		const { gatewayId, worker, logger, dir: all, log, local, deliver, decodeBy, ledger } = this.#parts;
		const dir = join(all, settings.name);
		makeFolder(dir);
		const linkLogger = logger.child({ bridge: settings.name });
		if (sendsReadings(settings)) await this.#placeCursor(settings.name, join(dir, 'readings'));
		const rawLog = await Log.open({
			dir: join(dir, 'queue'),
			worker,
			...settings.queue,
			onIncident: (incident) => linkLogger.error({ incident }, 'bridge: records of the queue are damaged or missing'),
		});
		const link = new Link({
			settings,
			gatewayId,
			log,
			rawLog,
			dir,
			local,
			deliver,
			decodeBy,
			ledger,
			guard: this.#guard,
			sends: this.#sends,
			isReturn: (name, topic, payload) => this.#running.get(name)?.link.hasSent(topic, payload) ?? false,
			logger: linkLogger,
		});
		this.#running.set(settings.name, { link, rawLog, settings });
	}

	/**
	 * Creates a bridge's cursor on the log of readings, if there is none. A new bridge begins at the end of the log; one
	 * that existed before (`marker` is there) and has lost its cursor begins at the start.
	 */
	async #placeCursor(name: string, marker: string): Promise<void> {
		const { log } = this.#parts;
		const isKnown = existsSync(marker);
		await log.cursor(cursorName(name), isKnown ? log.startOffset : log.endOffset).flush();
		if (!isKnown) writeAtomicallySync(marker, '', { syncFolder: true });
	}

	async #end(name: string): Promise<void> {
		const { link, rawLog } = this.#running.get(name)!;
		await link.stop();
		await rawLog.close();
		this.#running.delete(name);
	}

	/** Removes the cursors of removed bridges, which would keep the log's records forever. */
	#removeStaleCursors(wanted: readonly BridgeSettings[]): void {
		const { log } = this.#parts;
		const needed = new Set(wanted.filter(sendsReadings).map(({ name }) => cursorName(name)));
		for (const name of log.cursors().keys())
			if (name.startsWith(cursorName('')) && !needed.has(name)) log.cursor(name).remove();
	}
}

/** Whether a bridge may keep its connection: only the way to connect has changed, and all addresses are still there. */
function mayStayConnected(before: BridgeSettings, after: BridgeSettings): boolean {
	const others = ({
		urls,
		username,
		secret,
		tls,
		keepAliveMs,
		connectTimeoutMs,
		backOff,
		returnAfterMs,
		roundRobin,
		...rest
	}: BridgeSettings) => JSON.stringify(rest);
	return others(before) === others(after) && before.urls.every((url) => after.urls.includes(url));
}
