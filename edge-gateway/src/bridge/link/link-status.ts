import type { Logger } from '@crowdvision/service-kit';
import type { LocalBroker } from '../../sources/mqtt/broker/local-broker.ts';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import type { BridgeReport, LinkPhase } from './bridge-report.ts';

const REPORT_EVERY_MS = 30_000;

/** The part of a report that is about messages. */
export type Traffic = Omit<BridgeReport, 'name' | 'state' | 'since' | 'address' | 'lastFailure'>;

export interface LinkStatusParts {
	name: string;
	gatewayId: string;
	/** The state topics of the settings in force. */
	topics: () => BridgeSettings['state'];
	/** `now` is epoch ms. */
	traffic: (now: number) => Traffic;
	local: LocalBroker;
	/** Publishes at the remote, retained and with QoS 0; does nothing without a connection. */
	publishRemotely: (topic: string, payload: string) => void;
	logger: Logger;
}

/**
 * Tracks the state of a bridge: its phase, since when, and its last failure. Publishes changes on the state topics: of
 * the phase at once, of anything else every half minute.
 */
export class LinkStatus {
	readonly #parts: LinkStatusParts;
	#phase: LinkPhase = 'disconnected';
	#since = Date.now();
	#address: string | undefined;
	#lastFailure: BridgeReport['lastFailure'];
	#reporter: NodeJS.Timeout | undefined;
	#published = '';

	constructor(parts: LinkStatusParts) {
		this.#parts = parts;
	}

	get phase(): LinkPhase {
		return this.#phase;
	}

	/** Begins to publish changes every half minute. */
	start(): void {
		this.#reporter = setInterval(() => this.publish(), REPORT_EVERY_MS);
		this.#reporter.unref();
	}

	stop(): void {
		clearInterval(this.#reporter);
	}

	enter(phase: LinkPhase, address = this.#address): void {
		if (phase === this.#phase && address === this.#address) return;
		this.#phase = phase;
		this.#address = address;
		this.#since = Date.now();
		this.publish();
	}

	/** Notes that the connection has ended. Publishes nothing: `enter` or `fail` follows, which says more. */
	ended(): void {
		this.#phase = 'disconnected';
	}

	/** Enters the phase `disconnected` because of a failure. */
	fail(reason: string): void {
		const { logger } = this.#parts;
		if (this.#lastFailure?.reason !== reason || this.#lastFailure.address !== this.#address)
			logger.warn({ address: this.#address, err: reason }, 'bridge: not connected');
		this.#lastFailure = { at: Date.now(), reason, address: this.#address };
		this.#phase = 'connecting';
		this.enter('disconnected');
	}

	report(now = Date.now()): BridgeReport {
		const { protocol, ...traffic } = this.#parts.traffic(now);
		return {
			name: this.#parts.name,
			state: this.#phase,
			since: this.#since,
			address: this.#address,
			protocol,
			lastFailure: this.#lastFailure,
			...traffic,
		};
	}

	/** Publishes the report on the state topics, if it has changed since the last time, apart from its lag. */
	publish(): void {
		const { name, gatewayId, topics, local } = this.#parts;
		const report = this.report();
		const { lag: _, ...compared } = report;
		const text = JSON.stringify(compared);
		if (text === this.#published) return;
		this.#published = text;
		this.#publishRemotely(report);
		if (!topics().local) return;
		const payload = Buffer.from(JSON.stringify({ ...report, gatewayId }));
		local
			.publish({ topic: `bridge/${name}/state`, payload, qos: 1, retain: true, origin: name })
			.catch(() => undefined);
	}

	/** Publishes at the remote what the last will would say: a DISCONNECT keeps the remote from publishing the will. */
	publishGoodbye(): void {
		this.#publishRemotely({ ...this.report(), state: 'disconnected' });
	}

	#publishRemotely(report: BridgeReport): void {
		const { gatewayId, topics, publishRemotely } = this.#parts;
		const { remoteTopic } = topics();
		if (remoteTopic !== undefined) publishRemotely(remoteTopic, JSON.stringify({ ...report, gatewayId }));
	}
}
