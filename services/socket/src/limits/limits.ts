import { CrowdVisionError } from '@crowdvision/contracts';

/** What one client, account or address may take of this service. */
export interface Limits {
	/** Buildings a dashboard looks at. */
	subscriptions: number;
	/** Dashboards of one account, over all replicas. */
	perAccount: number;
	/** Connections from one address to this replica. */
	perAddress: number;
	/** Events a dashboard may send at once, and in a second from then on. */
	events: { atOnce: number; perSecond: number };
	/** Bytes of one message. */
	messageBytes: number;
	/** A dashboard that takes nothing for so long is disconnected. */
	stalledMs: number;
}

export const DEFAULT_LIMITS: Limits = {
	subscriptions: 50,
	perAccount: 200,
	// An office, or a campus, stands behind one address.
	perAddress: 1000,
	events: { atOnce: 100, perSecond: 20 },
	messageBytes: 64 * 1024,
	stalledMs: 30_000,
};

/** A dashboard that goes on so long after it was told to wait means harm, or is broken. */
const MOST_REFUSED = 1000;

/** How fast one client may send: a bucket that fills at a steady rate. */
export class Pace {
	readonly #limits: Limits['events'];
	#left: number;
	#at: number;
	#refused = 0;

	constructor(limits: Limits['events'], now = performance.now()) {
		this.#limits = limits;
		this.#left = limits.atOnce;
		this.#at = now;
	}

	/** Whether it was refused so often that listening to it any longer helps nobody. */
	get hopeless(): boolean {
		return this.#refused > MOST_REFUSED;
	}

	/** @throws CrowdVisionError `rate_limited` */
	take(now = performance.now()): void {
		const { atOnce, perSecond } = this.#limits;
		this.#left = Math.min(atOnce, this.#left + ((now - this.#at) / 1000) * perSecond);
		this.#at = now;
		if (this.#left < 1) {
			this.#refused++;
			throw new CrowdVisionError('rate_limited', `Too many events: ${perSecond} a second are taken`, {}, 1);
		}
		this.#left--;
		if (this.#left > atOnce / 2) this.#refused = 0;
	}
}

/** How many there are of each. */
export class Tally {
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
