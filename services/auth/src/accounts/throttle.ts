import { CrowdVisionError } from '@crowdvision/contracts';

const FIRST_WAIT_MS = 15_000;
const LONGEST_WAIT_MS = 15 * 60_000;
const FORGET_AFTER_MS = 30 * 60_000;
const MAX_KEYS = 10_000;

interface Attempts {
	failed: number;
	/** Epoch ms. */
	last: number;
	blockedUntil: number;
}

/**
 * Slows down guessing. After `free` failures with the same key, each further attempt has to wait: 15 s, then twice as
 * long every time, up to 15 minutes. Holds 10,000 keys and forgets the least recently used. Each process counts alone.
 */
export class Throttle {
	readonly #free: number;
	readonly #subject: string;
	readonly #attempts = new Map<string, Attempts>();

	/** @param subject completes the error message "Too many …" */
	constructor(free: number, subject: string) {
		this.#free = free;
		this.#subject = subject;
	}

	/**
	 * Counts an attempt as failed before it is made, so that parallel attempts cannot all pass; `succeeded` takes it
	 * back.
	 * @param now epoch ms
	 * @throws CrowdVisionError `rate_limited` with the seconds to wait
	 */
	begin(key: string, now: number): void {
		let attempts = this.#attempts.get(key);
		if (!attempts || now - attempts.last > FORGET_AFTER_MS) attempts = { failed: 0, last: now, blockedUntil: 0 };
		// A clock that was set back must not prolong a wait.
		const setBack = Math.max(0, attempts.last - now);
		attempts.last -= setBack;
		attempts.blockedUntil -= setBack;
		if (now < attempts.blockedUntil) {
			const waitSeconds = Math.ceil((attempts.blockedUntil - now) / 1000);
			throw new CrowdVisionError('rate_limited', `Too many ${this.#subject}`, {}, waitSeconds);
		}
		attempts.failed++;
		attempts.last = now;
		if (attempts.failed >= this.#free)
			attempts.blockedUntil = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts.failed - this.#free));
		this.#attempts.delete(key);
		this.#attempts.set(key, attempts);
		if (this.#attempts.size > MAX_KEYS) this.#attempts.delete(this.#attempts.keys().next().value!);
	}

	/** Takes one attempt back; earlier failures still count. */
	takeBack(key: string): void {
		const attempts = this.#attempts.get(key);
		if (!attempts) return;
		attempts.failed--;
		if (attempts.failed < this.#free) attempts.blockedUntil = 0;
	}

	/** Forgets the failures of this key. */
	succeeded(key: string): void {
		this.#attempts.delete(key);
	}
}

/** Everything that auth slows down. Where several throttles apply to one request, the strictest decides. */
export interface Throttles {
	/** Sign-in, by account and address. */
	login: Throttle;
	/** Sign-in, by account from any address: many machines that guess one password. */
	loginAccount: Throttle;
	/** Sign-in, by address: one machine that tries many accounts. */
	loginAddress: Throttle;
	/** New accounts, by address. */
	registration: Throttle;
	/** Links for a new password, by e-mail address. */
	recovery: Throttle;
	/** Links for a new password and attempts to use one, by address. */
	recoveryAddress: Throttle;
	/** Links that confirm an address, by account. */
	confirmation: Throttle;
	/** Invite codes, by account. */
	join: Throttle;
	/** Invite codes, by address. */
	joinAddress: Throttle;
}

/** The throttles of one process, each with its number of free attempts. */
export function createThrottles(): Throttles {
	return {
		login: new Throttle(5, 'failed attempts to sign in'),
		loginAccount: new Throttle(50, 'failed attempts to sign in'),
		loginAddress: new Throttle(100, 'failed attempts to sign in'),
		registration: new Throttle(300, 'new accounts from one address'),
		recovery: new Throttle(3, 'links for a new password'),
		recoveryAddress: new Throttle(30, 'attempts to set a new password'),
		confirmation: new Throttle(3, 'links that confirm an address'),
		join: new Throttle(5, 'wrong codes'),
		joinAddress: new Throttle(20, 'wrong codes'),
	};
}
