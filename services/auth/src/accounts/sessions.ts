import { type AccountClaims, CrowdVisionError, type RetainedSessions } from '@crowdvision/contracts';
import { MAX_ACCOUNT_SECONDS, type RetainedSource, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned, Write } from '@crowdvision/store';
import type { SessionsDocument } from '../store.ts';

/**
 * Sessions of one account that are listed as signed out, while their tokens live. With one more, all of
 * its sessions end, so that the list announced to every service stays short.
 */
const MAX_ENDED = 20;
const MAX_ANNOUNCED = 100_000;

/**
 * Revocations of account tokens before they expire: sessions that ended, and tokens whose memberships are outdated. One
 * document per account, kept as long as a token may live (a day).
 */
export class Sessions implements RetainedSource {
	readonly #store: Store;
	readonly #sessions: Collection<SessionsDocument>;
	readonly #nowSeconds: () => number;

	/** @param nowSeconds epoch seconds, by the clock that tokens are signed by */
	constructor(store: Store, nowSeconds: () => number) {
		this.#nowSeconds = nowSeconds;
		this.#store = store;
		this.#sessions = store.collection('sessions');
	}

	/** Epoch seconds: only tokens of this account issued later than this are valid. */
	async issuedAfter(accountId: string): Promise<number> {
		const stored = await this.#sessions.get(accountId);
		return stored ? Math.max(stored.value.endedBefore, stored.value.staleBefore) : 0;
	}

	/** @throws CrowdVisionError `unauthenticated` for a session that ended. Outdated memberships alone pass. */
	async requireOpen({ sub, iat, jti }: AccountClaims): Promise<void> {
		const stored = await this.#sessions.get(sub);
		if (!stored) return;
		if (iat <= stored.value.endedBefore || stored.value.ended.some((session) => session.jti === jti)) {
			throw new CrowdVisionError('unauthenticated', 'This session has ended: sign in again');
		}
	}

	/** Tells of the tokens of an account which of them are neither expired nor revoked. */
	async openOf(accountId: string): Promise<(token: Pick<AccountClaims, 'iat' | 'jti' | 'exp'>) => boolean> {
		const { endedBefore, ended } = (await this.#sessions.get(accountId))?.value ?? NOTHING;
		const gone = new Set(ended.map(({ jti }) => jti));
		return ({ iat, jti, exp }) => exp > this.#nowSeconds() && iat > endedBefore && !gone.has(jti);
	}

	/** Ends one session. @param session its newest token */
	async end({ sub, jti, exp }: Pick<AccountClaims, 'sub' | 'jti' | 'exp'>): Promise<void> {
		await retryOnConflict(async () => {
			const stored = await this.#sessions.get(sub);
			const before = stored?.value ?? NOTHING;
			const ended = before.ended.filter((session) => session.exp > this.#nowSeconds() && session.jti !== jti);
			ended.push({ jti, exp });
			const next =
				ended.length > MAX_ENDED
					? { ...before, endedBefore: this.#later(before.endedBefore), ended: [] }
					: { ...before, ended };
			await this.#store.commit([this.#write(sub, stored, next)]);
		});
	}

	/** Ends all sessions of an account. */
	async endEvery(accountId: string): Promise<void> {
		await retryOnConflict(async () => this.#store.commit([await this.endAll(accountId)]));
	}

	/** The write that ends all sessions of an account. Commit it together with the change that requires it. */
	async endAll(accountId: string): Promise<Write> {
		const stored = await this.#sessions.get(accountId);
		const before = stored?.value ?? NOTHING;
		return this.#write(accountId, stored, {
			...before,
			endedBefore: this.#later(Math.max(before.endedBefore, before.staleBefore)),
			ended: [],
		});
	}

	/**
	 * The write that marks the memberships in an account's tokens as outdated, so that it has to refresh. Commit it
	 * together with the change that takes a membership away.
	 */
	async makeStale(accountId: string): Promise<Write> {
		const stored = await this.#sessions.get(accountId);
		const before = stored?.value ?? NOTHING;
		return this.#write(accountId, stored, {
			...before,
			staleBefore: this.#later(Math.max(before.endedBefore, before.staleBefore)),
		});
	}

	/** Removes revocations of tokens that have expired, at most 1000. Resolves with their accounts. */
	async removeExpired(): Promise<string[]> {
		const expired = await this.#sessions.find({ where: { until: { lt: this.#nowSeconds() * 1000 } }, limit: 1000 });
		for (const stored of expired) await this.#store.commit([this.#sessions.remove(stored)]).catch(() => {});
		return expired.map(({ id }) => id);
	}

	async keys(): Promise<string[]> {
		const current = await this.#sessions.find({
			where: { until: { gt: this.#nowSeconds() * 1000 } },
			limit: MAX_ANNOUNCED,
		});
		return current.map(({ id }) => id);
	}

	async read(accountId: string): Promise<string | null> {
		const stored = await this.#sessions.get(accountId);
		if (!stored || stored.value.until <= this.#nowSeconds() * 1000) return null;
		const { endedBefore, staleBefore, ended } = stored.value;
		return JSON.stringify({
			before: Math.max(endedBefore, staleBefore),
			sessions: ended.map(({ jti }) => jti),
		} satisfies RetainedSessions);
	}

	/** Now, but at least a second after `before`: tokens issued since then carry that later second. */
	#later(before: number): number {
		return Math.max(this.#nowSeconds(), before + 1);
	}

	#write(
		accountId: string,
		stored: Versioned<SessionsDocument> | undefined,
		value: Omit<SessionsDocument, 'until'>,
	): Write {
		const next = {
			...value,
			until: (Math.max(this.#nowSeconds(), value.endedBefore, value.staleBefore) + MAX_ACCOUNT_SECONDS + 60) * 1000,
		};
		return stored ? this.#sessions.replace(stored, next) : this.#sessions.insert(accountId, next);
	}
}

const NOTHING: Omit<SessionsDocument, 'until'> = { endedBefore: 0, staleBefore: 0, ended: [] };
