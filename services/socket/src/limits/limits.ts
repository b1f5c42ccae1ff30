import { CrowdVisionError } from '@crowdvision/contracts';

/** How much of this service one dashboard, account or address may use. */
export interface Limits {
	/** Buildings that a dashboard may subscribe to. */
	subscriptions: number;
	/** Dashboards of one account, in all replicas together. */
	perAccount: number;
	/** Connections from one address to this replica. */
	perAddress: number;
	/** Events that a dashboard may send at once, and per second after that. */
	events: { atOnce: number; perSecond: number };
	/** Bytes of one message. */
	messageBytes: number;
	/** A dashboard that accepts no data for so long is disconnected, in ms. */
	stalledMs: number;
}

/** The limits where SocketOptions set no others. */
export const DEFAULT_LIMITS: Limits = {
	subscriptions: 50,
	perAccount: 200,
	// A whole office or campus may share one address.
	perAddress: 1000,
	events: { atOnce: 100, perSecond: 20 },
	messageBytes: 64 * 1024,
	stalledMs: 30_000,
};

/** Refused events in a row after which a dashboard is disconnected: it is broken or malicious. */
const MAX_REFUSED = 1000;

/** Limits the events of one dashboard: a token bucket that is filled at a steady rate. */
export class EventLimiter {
	readonly #limits: Limits['events'];
	#left: number;
	#at: number;
	#refused = 0;

	constructor(limits: Limits['events'], now = performance.now()) {
		this.#limits = limits;
		this.#left = limits.atOnce;
		this.#at = now;
	}

	/** Whether so many events were refused in a row that the dashboard should be disconnected. */
	get exhausted(): boolean {
		return this.#refused > MAX_REFUSED;
	}

	/** Counts an event. @throws CrowdVisionError `rate_limited` */
	take(now = performance.now()): void {
		const { atOnce, perSecond } = this.#limits;
		this.#left = Math.min(atOnce, this.#left + ((now - this.#at) / 1000) * perSecond);
		this.#at = now;
		if (this.#left < 1) {
			this.#refused++;
			throw new CrowdVisionError(
				'rate_limited',
				`Too many events: at most ${perSecond} per second are accepted`,
				{},
				1,
			);
		}
		this.#left--;
		if (this.#left > atOnce / 2) this.#refused = 0;
	}
}

/** Counts things by key. */
export class CountByKey {
	readonly #counts = new Map<string, number>();

	of(key: string): number {
		return this.#counts.get(key) ?? 0;
	}

	add(key: string): void {
		this.#counts.set(key, this.of(key) + 1);
	}

	remove(key: string): void {
		const left = this.of(key) - 1;
		if (left > 0) this.#counts.set(key, left);
		else this.#counts.delete(key);
	}
}
