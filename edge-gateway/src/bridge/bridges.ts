import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommitWorker, Log } from '@crowdvision/log';
import { Counter, Gauge, type Logger, type Registry as Metrics } from '@crowdvision/service-kit';
import type { Deliver } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import type { BridgeConfig } from './config/bridge-config.ts';
import { type BridgeSettings, bridgeSettings } from './config/bridge-settings.ts';
import type { InboundParts } from './link/inbound.ts';
import { cursorName, Link, sendsReadings } from './link/link.ts';
import type { BridgeReport } from './link/link-state.ts';
import { LoopGuard } from './loops/loop-guard.ts';
import { ReturnBound } from './loops/return-bound.ts';

export interface BridgesParts {
	gatewayId: string;
	/** Of all bridges; each has a folder below. */
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
	readonly #bound = new ReturnBound();
	#updating: Promise<void> = Promise.resolve();
	#begun = false;

	constructor(parts: BridgesParts) {
		this.#parts = parts;
		// Every new Pi is called raspberrypi: the log's id tells gateways apart.
		this.#guard = new LoopGuard(`${parts.gatewayId}:${parts.log.id}`.replaceAll(' ', '-'), parts.logger);
	}

	/**
	 * Makes the bridges what the configuration says. One whose topics and queue stay the same keeps its connection: other
	 * credentials or certificates, and more addresses, count from its next connecting on. What waits for one that is gone
	 * stays in its folder.
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
			if (next && withoutReconnecting(settings, next)) {
				link.renew(next);
				this.#running.get(name)!.settings = next;
			} else await this.#end(name);
		}
		this.#forget(wanted);
		const fresh = wanted.filter(({ name }) => !this.#running.has(name));
		for (const settings of fresh) await this.#open(settings);
		this.#guard.watch(wanted.map(({ name }) => this.#running.get(name)!.link));
		for (const { name } of fresh) {
			const { link } = this.#running.get(name)!;
			link.listenIn();
			if (this.#begun) link.start();
		}
	}

	/**
	 * Lets the bridges connect, those of later configurations too. Until then they only queue: no message may find the
	 * local broker open and no bridge there.
	 */
	begin(): void {
		this.#begun = true;
		for (const { link } of this.#running.values()) link.start();
	}

	/** In the order of the configuration. */
	list(): BridgeReport[] {
		return [...this.#running.values()].map(({ link }) => link.report());
	}

	/** What is wrong with each, as `bridge {name}`; undefined where nothing is. */
	troubles(): Record<string, string | undefined> {
		return Object.fromEntries(
			this.list().map(({ name, state, lastFailure }) => {
				const away = state === 'connecting' || state === 'disconnected';
				return [`bridge ${name}`, away ? (lastFailure?.reason ?? state) : undefined];
			}),
		);
	}

	/** Takes nothing from the remotes any more. */
	stopInbound(): void {
		for (const { link } of this.#running.values()) link.stopInbound();
	}

	async stop(): Promise<void> {
		await this.#updating.catch(() => undefined);
		this.#guard.stop();
		await Promise.all([...this.#running.keys()].map((name) => this.#end(name)));
	}

	register(metrics: Metrics): void {
		const running = this.#running;
		const gauge = (name: string, help: string, read: (report: BridgeReport) => number) => {
			new Gauge({
				name,
				help,
				labelNames: ['bridge'],
				registers: [metrics],
				collect() {
					this.reset();
					for (const { link } of running.values()) this.set({ bridge: link.name }, read(link.report()));
				},
			});
		};
		const counter = (
			name: string,
			help: string,
			read: (report: BridgeReport) => Iterable<[labels: Record<string, string>, value: number]>,
		) => {
			new Counter({
				name,
				help,
				labelNames: ['bridge', 'direction', 'reason'],
				registers: [metrics],
				collect() {
					this.reset();
					for (const { link } of running.values())
						for (const [labels, value] of read(link.report())) this.inc({ bridge: link.name, ...labels }, value);
				},
			});
		};
		const bothWays = (read: (account: BridgeReport['in']) => number) => (report: BridgeReport) =>
			(['in', 'out'] as const).map((direction): [Record<string, string>, number] => [
				{ direction },
				read(report[direction]),
			]);
		gauge('gateway_bridge_connected', 'Whether the bridge is connected', ({ state }) => Number(state === 'connected'));
		gauge('gateway_bridge_standby', 'Whether the bridge is on standby because of a loop', ({ standbyFor }) =>
			Number(standbyFor !== undefined),
		);
		gauge('gateway_bridge_queued', 'Records the remote does not have yet', ({ queued }) => queued);
		gauge('gateway_bridge_lag_seconds', 'Age of the oldest of them', ({ lag }) => lag / 1000);
		counter(
			'gateway_bridge_received_total',
			'Messages that came from the remote (in) or are for it (out)',
			bothWays(({ received }) => received),
		);
		counter(
			'gateway_bridge_delivered_total',
			'Messages that are durable here (in) or acknowledged by the remote (out)',
			bothWays(({ delivered }) => delivered),
		);
		counter('gateway_bridge_dropped_total', 'Messages that were dropped, by reason', (report) =>
			(['in', 'out'] as const).flatMap((direction) =>
				Object.entries(report[direction].dropped).map(([reason, count]): [Record<string, string>, number] => [
					{ direction, reason },
					count,
				]),
			),
		);
		counter('gateway_bridge_repeated_total', 'Messages sent (out) or received (in) once more', ({ duplicates }) => [
			[{ direction: 'out' }, duplicates.sent],
			[{ direction: 'in' }, duplicates.received],
		]);
	}

	async #open(settings: BridgeSettings): Promise<void> {
		const { gatewayId, worker, logger, dir: all, log, local, deliver, decodeBy, ledger } = this.#parts;
		const dir = join(all, settings.name);
		mkdirSync(join(dir, 'queue'), { recursive: true, mode: 0o700 });
		const named = logger.child({ bridge: settings.name });
		if (sendsReadings(settings)) await this.#placeCursor(settings.name, join(dir, 'readings'));
		const rawLog = await Log.open({
			dir: join(dir, 'queue'),
			worker,
			...settings.queue,
			onIncident: (incident) => named.error({ incident }, 'bridge: something in its queue is damaged or missing'),
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
			bound: this.#bound,
			isReturn: (name, topic, payload) => this.#running.get(name)?.link.hasSent(topic, payload) ?? false,
			logger: named,
		});
		this.#running.set(settings.name, { link, rawLog, settings });
	}

	/**
	 * A new bridge begins with the readings of now; one that was there before, but whose place is lost, with all that the
	 * log holds.
	 */
	async #placeCursor(name: string, mark: string): Promise<void> {
		const { log } = this.#parts;
		await log.cursor(cursorName(name), existsSync(mark) ? log.startOffset : log.endOffset).flush();
		writeFileSync(mark, '');
	}

	async #end(name: string): Promise<void> {
		const { link, rawLog } = this.#running.get(name)!;
		await link.stop();
		await rawLog.close();
		this.#running.delete(name);
	}

	/** The cursor of a bridge that is gone would hold the log's records for ever. */
	#forget(wanted: readonly BridgeSettings[]): void {
		const { log } = this.#parts;
		const kept = new Set(wanted.filter(sendsReadings).map(({ name }) => cursorName(name)));
		for (const name of log.cursors().keys())
			if (name.startsWith(cursorName('')) && !kept.has(name)) log.cursor(name).remove();
	}
}

/**
 * Whether a bridge may go on as it is: only how it connects has changed, and the address it is at is still one of its
 * own.
 */
function withoutReconnecting(before: BridgeSettings, after: BridgeSettings): boolean {
	const stays = ({
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
	return stays(before) === stays(after) && before.urls.every((url) => after.urls.includes(url));
}
