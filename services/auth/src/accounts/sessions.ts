import { type AccountClaims, CrowdVisionError, type RetainedSessions } from '@crowdvision/contracts';
import { ACCOUNT_SECONDS, type RetainedSource, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Kept, Store, Write } from '@crowdvision/store';
import type { SessionsDocument } from '../store.ts';

/**
 * Beyond so many sessions signed out of within three hours, all of the account's end: what is told to everybody stays
 * small.
 */
const MOST_ENDED = 20;
const MOST_TOLD = 100_000;

const nowSeconds = () => Math.floor(Date.now() / 1000);

/**
 * Which sessions were ended, or know memberships that are no more, before their tokens expire. One document an account,
 * for three hours.
 */
export class Sessions implements RetainedSource {
	readonly #store: Store;
	readonly #sessions: Collection<SessionsDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#sessions = store.collection('sessions');
	}

	/** A token of this account counts only if it was issued later than this (epoch seconds). */
	async issuedAfter(accountId: string): Promise<number> {
		const kept = await this.#sessions.get(accountId);
		return kept ? Math.max(kept.value.endedBefore, kept.value.staleBefore) : 0;
	}

	/** @throws CrowdVisionError `unauthenticated` for a session that was ended. One that is only stale passes. */
	async requireOpen({ sub, iat, jti }: AccountClaims): Promise<void> {
		const kept = await this.#sessions.get(sub);
		if (!kept) return;
		if (iat <= kept.value.endedBefore || kept.value.ended.some((one) => one.jti === jti)) {
			throw new CrowdVisionError('unauthenticated', 'The session was ended: sign in again');
		}
	}

	/** Ends one session. */
	async end({ sub, jti, exp }: AccountClaims): Promise<void> {
		await retryOnConflict(async () => {
			const kept = await this.#sessions.get(sub);
			const before = kept?.value ?? NOTHING;
			const ended = before.ended.filter((one) => one.exp > nowSeconds() && one.jti !== jti);
			ended.push({ jti, exp });
			const next =
				ended.length > MOST_ENDED
					? { ...before, endedBefore: this.#later(before.endedBefore), ended: [] }
					: { ...before, ended };
			await this.#store.commit([this.#write(sub, kept, next)]);
		});
	}

	/** The write that ends all sessions of an account; commit it with what makes that necessary. */
	async endAll(accountId: string): Promise<Write> {
		const kept = await this.#sessions.get(accountId);
		const before = kept?.value ?? NOTHING;
		return this.#write(accountId, kept, {
			...before,
			endedBefore: this.#later(Math.max(before.endedBefore, before.staleBefore)),
			ended: [],
		});
	}

	/**
	 * The write that voids the memberships which an account's tokens tell of: it has to refresh. Commit it with what
	 * takes them away.
	 */
	async makeStale(accountId: string): Promise<Write> {
		const kept = await this.#sessions.get(accountId);
		const before = kept?.value ?? NOTHING;
		return this.#write(accountId, kept, {
			...before,
			staleBefore: this.#later(Math.max(before.endedBefore, before.staleBefore)),
		});
	}

	/** Removes what no longer matters. @returns the accounts it was about. */
	async forget(): Promise<string[]> {
		const old = await this.#sessions.find({ where: { until: { lt: Date.now() } }, limit: 1000 });
		for (const kept of old) await this.#store.commit([this.#sessions.remove(kept)]).catch(() => {});
		return old.map(({ id }) => id);
	}

	async keys(): Promise<string[]> {
		return (await this.#sessions.find({ where: { until: { gt: Date.now() } }, limit: MOST_TOLD })).map(({ id }) => id);
	}

	async read(accountId: string): Promise<string | null> {
		const kept = await this.#sessions.get(accountId);
		if (!kept || kept.value.until <= Date.now()) return null;
		const { endedBefore, staleBefore, ended } = kept.value;
		return JSON.stringify({
			before: Math.max(endedBefore, staleBefore),
			sessions: ended.map(({ jti }) => jti),
		} satisfies RetainedSessions);
	}

	/** Now, or a second after the time before: tokens were given that are later than that one. */
	#later(before: number): number {
		return Math.max(nowSeconds(), before + 1);
	}

	#write(accountId: string, kept: Kept<SessionsDocument> | undefined, value: Omit<SessionsDocument, 'until'>): Write {
		const next = {
			...value,
			until: (Math.max(nowSeconds(), value.endedBefore, value.staleBefore) + ACCOUNT_SECONDS + 60) * 1000,
		};
		return kept ? this.#sessions.replace(kept, next) : this.#sessions.insert(accountId, next);
	}
}

const NOTHING: Omit<SessionsDocument, 'until'> = { endedBefore: 0, staleBefore: 0, ended: [] };
