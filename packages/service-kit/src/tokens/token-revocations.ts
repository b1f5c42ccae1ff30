import type { RetainedSessions } from '@crowdvision/contracts';

/**
 * Which accounts' tokens are void before their time, as auth tells on the bus. What nobody has told of is not revoked.
 */
export class TokenRevocations {
	readonly #accounts = new Map<string, { before: number; sessions: ReadonlySet<string> }>();
	readonly #listeners = new Set<(accountId: string) => void>();

	/** Whether an account's token of that time (epoch seconds) and id is void. */
	isRevoked({ sub, iat, jti }: { sub: string; iat: number; jti: string }): boolean {
		const told = this.#accounts.get(sub);
		return told !== undefined && (iat <= told.before || told.sessions.has(jti));
	}

	/** @throws SyntaxError for what is not of auth's. */
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
