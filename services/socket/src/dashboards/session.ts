import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';

/** How long before its end a session is announced to expire; half of the remaining time where that is shorter. */
const NOTICE_MS = 60_000;
/** The longest time that a timer accepts, about 24 days. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export interface SessionEvents {
	/** The session ends at `expiresAt` (epoch ms) unless it is renewed. */
	onExpiring(expiresAt: number): void;
	onExpired(): void;
}

/**
 * The account of a connection, and until when: the claims of its token, which another token of the account can renew.
 */
export class Session {
	readonly #events: SessionEvents;
	readonly #now: () => number;
	#claims: AccountClaims;
	#timer: NodeJS.Timeout | undefined;

	/** @param now epoch ms, by the clock that tokens are verified by */
	constructor(claims: AccountClaims, events: SessionEvents, now: () => number) {
		this.#now = now;
		this.#claims = claims;
		this.#events = events;
	}

	get claims(): AccountClaims {
		return this.#claims;
	}

	/** Epoch ms. */
	get expiresAt(): number {
		return this.#claims.exp * 1000;
	}

	/** Watches for the end of the session until `end`. */
	start(): void {
		const remaining = this.expiresAt - this.#now();
		this.#callAt(this.expiresAt - Math.min(NOTICE_MS, remaining / 2), () => {
			this.#events.onExpiring(this.expiresAt);
			this.#callAt(this.expiresAt, () => this.#events.onExpired());
		});
	}

	/**
	 * Checks the time itself, since a timer may be late and the clock may have been set.
	 * @throws CrowdVisionError `unauthenticated` once the session has expired
	 */
	requireLive(): void {
		if (this.#now() >= this.expiresAt) throw new CrowdVisionError('unauthenticated', 'The token has expired');
	}

	/** @throws CrowdVisionError `forbidden` for a token of another account */
	renew(claims: AccountClaims): void {
		if (claims.sub !== this.#claims.sub)
			throw new CrowdVisionError('forbidden', 'The token belongs to another account: connect again with it');
		this.#claims = claims;
		this.start();
	}

	end(): void {
		clearTimeout(this.#timer);
	}

	/** Calls `callback` at a time in epoch ms, which may be later than a timer can wait. */
	#callAt(time: number, callback: () => void): void {
		clearTimeout(this.#timer);
		const remaining = time - this.#now();
		if (remaining <= 0) callback();
		else this.#timer = setTimeout(() => this.#callAt(time, callback), Math.min(remaining, LONGEST_TIMEOUT_MS));
	}
}
