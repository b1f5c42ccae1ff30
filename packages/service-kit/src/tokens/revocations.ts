import type { RetainedSessions } from '@crowdvision/contracts';

/** Account tokens that are void before they expire, as auth publishes on the bus. All other tokens are not revoked. */
export class TokenRevocations {
	readonly #accounts = new Map<string, { before: number; sessions: ReadonlySet<string> }>();
	readonly #listeners = new Set<(accountId: string) => void>();

	/** Whether the account token issued at `iat` (epoch seconds) with the id `jti` is void. */
	isRevoked({ sub, iat, jti }: { sub: string; iat: number; jti: string }): boolean {
		const revoked = this.#accounts.get(sub);
		return revoked !== undefined && (iat <= revoked.before || revoked.sessions.has(jti));
	}

	/** Sets the retained value of an account. @throws SyntaxError if it is not JSON. */
	set(accountId: string, value: string | null): void {
		if (value === null) {
			this.#accounts.delete(accountId);
			return;
		}
		const { before, sessions } = JSON.parse(value) as RetainedSessions;
		this.#accounts.set(accountId, { before, sessions: new Set(sessions) });
		for (const listener of this.#listeners) listener(accountId);
	}

	/** Calls `listener` whenever tokens of an account become void. */
	onRevoked(listener: (accountId: string) => void): void {
		this.#listeners.add(listener);
	}
}
