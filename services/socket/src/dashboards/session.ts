import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';

/**
 * How long before its end a dashboard is told, so that it can send a fresh token; half of what is left where that is
 * less.
 */
const NOTICE_MS = 60_000;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export interface SessionEvents {
	/** It ends at `expiresAt` (epoch ms) unless it is renewed. */
	onExpiring(expiresAt: number): void;
	onExpired(): void;
}

/**
 * Who a connection belongs to, and until when: its token's claims, which a fresh token of the same account may replace.
 */
export class Session {
	readonly #events: SessionEvents;
	#claims: AccountClaims;
	#timer: NodeJS.Timeout | undefined;

	constructor(claims: AccountClaims, events: SessionEvents) {
		this.#claims = claims;
		this.#events = events;
		this.#watchExpiry();
	}

	get claims(): AccountClaims {
		return this.#claims;
	}

	/** Epoch ms. */
	get expiresAt(): number {
		return this.#claims.exp * 1000;
	}

	/** @throws CrowdVisionError `unauthenticated` once it is over: a timer may be late, or the clock was set. */
	requireLive(): void {
		if (Date.now() >= this.expiresAt) throw new CrowdVisionError('unauthenticated', 'The token has expired');
	}

	/** @throws CrowdVisionError `forbidden` for the token of somebody else. */
	renew(claims: AccountClaims): void {
		if (claims.sub !== this.#claims.sub)
			throw new CrowdVisionError('forbidden', 'The token is of another account: connect anew with it');
		this.#claims = claims;
		this.#watchExpiry();
	}

	end(): void {
		clearTimeout(this.#timer);
	}

	#watchExpiry(): void {
		const left = this.expiresAt - Date.now();
		this.#at(this.expiresAt - Math.min(NOTICE_MS, left / 2), () => {
			this.#events.onExpiring(this.expiresAt);
			this.#at(this.expiresAt, () => this.#events.onExpired());
		});
	}

	/** A timer reaches 24 days far, a token may be good for longer. */
	#at(time: number, act: () => void): void {
		clearTimeout(this.#timer);
		const left = time - Date.now();
		if (left <= 0) act();
		else this.#timer = setTimeout(() => this.#at(time, act), Math.min(left, LONGEST_TIMEOUT_MS));
	}
}
