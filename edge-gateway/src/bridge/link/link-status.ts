import type { Logger } from '@crowdvision/service-kit';
import type { LocalBroker } from '../../sources/mqtt/broker/local-broker.ts';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import type { BridgeReport, LinkPhase } from './link-state.ts';

const REPORT_EVERY_MS = 30_000;

/** What a report says of the messages of a bridge. */
export type Traffic = Omit<BridgeReport, 'name' | 'state' | 'since' | 'address' | 'lastFailure'>;

export interface LinkStatusParts {
	name: string;
	gatewayId: string;
	/** Which state topics there are, by the settings in force. */
	topics: () => BridgeSettings['state'];
	traffic: (now: number) => Traffic;
	local: LocalBroker;
	/** Publishes on the remote, where there is a connection to it: retained, at most once. */
	publishRemotely: (topic: string, payload: string) => void;
	logger: Logger;
}

/**
 * How a bridge is: its phase, since when, and why not connected. Tells changes on the state topics, at once where the
 * phase changes, else every half minute.
 */
export class LinkStatus {
	readonly #parts: LinkStatusParts;
	#phase: LinkPhase = 'disconnected';
	#since = Date.now();
	#address: string | undefined;
	#lastFailure: BridgeReport['lastFailure'];
	#reporter: NodeJS.Timeout | undefined;
	#told = '';

	constructor(parts: LinkStatusParts) {
		this.#parts = parts;
	}

	get phase(): LinkPhase {
		return this.#phase;
	}

	/** Begins to tell what changes while the phase stays. */
	start(): void {
		this.#reporter = setInterval(() => this.tell(), REPORT_EVERY_MS);
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
		this.tell();
	}

	/** The connection has ended. What follows, or why, is told with it. */
	ended(): void {
		this.#phase = 'disconnected';
	}

	/** It is not connected, for a reason that was not wanted. */
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

	/** Tells how it is on the state topics, where that has changed. */
	tell(): void {
		const { name, gatewayId, topics, local } = this.#parts;
		const report = this.report();
		const { lag: _, ...told } = report;
		const text = JSON.stringify(told);
		if (text === this.#told) return;
		this.#told = text;
		this.#tellRemotely(report);
		if (!topics().local) return;
		const payload = Buffer.from(JSON.stringify({ ...report, gatewayId }));
		local
			.publish({ topic: `bridge/${name}/state`, payload, qos: 1, retain: true, origin: name })
			.catch(() => undefined);
	}

	/** Tells the remote what its will would say, before a goodbye that keeps the will from being published. */
	tellGoodbye(): void {
		this.#tellRemotely({ ...this.report(), state: 'disconnected' });
	}

	#tellRemotely(report: BridgeReport): void {
		const { gatewayId, topics, publishRemotely } = this.#parts;
		const { remoteTopic } = topics();
		if (remoteTopic !== undefined) publishRemotely(remoteTopic, JSON.stringify({ ...report, gatewayId }));
	}
}
