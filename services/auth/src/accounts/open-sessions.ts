/** The sessions of each account, so that their owner can see and end them. */
import type { AccountClaims, SessionView } from '@crowdvision/contracts';
import { ACCOUNT_SECONDS } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type Store } from '@crowdvision/store';
import type { OpenSessionDocument } from '../store.ts';
import type { Sessions } from './sessions.ts';

const REMOVE_BATCH = 100;
const MAX_REMOVED = 1000;
/** Characters that are stored of what a browser calls itself. */
const MAX_USER_AGENT = 300;

/** Where a session is used. */
export interface SessionClient {
	userAgent: string | undefined;
	address: string | undefined;
}

/**
 * The open sessions of accounts, listed until their last token has expired. Which of them have ended is decided by
 * `Sessions`; this list only describes them.
 */
export class OpenSessions {
	readonly #store: Store;
	readonly #open: Collection<OpenSessionDocument>;
	readonly #sessions: Sessions;

	constructor(store: Store, sessions: Sessions) {
		this.#store = store;
		this.#open = store.collection('openSessions');
		this.#sessions = sessions;
	}

	/** Records a token that begins or renews the session `id`. @param issuedAt epoch seconds, its `iat` */
	async record(
		{ id, accountId, issuedAt }: { id: string; accountId: string; issuedAt: number },
		{ userAgent, address }: SessionClient,
	): Promise<void> {
		const known = await this.#open.get(id);
		const renewedAt = issuedAt * 1000;
		await this.#store.commit([
			this.#open.put(id, {
				accountId,
				startedAt: known?.value.startedAt ?? renewedAt,
				renewedAt,
				expiresAt: renewedAt + ACCOUNT_SECONDS * 1000,
				...(userAgent && { userAgent: userAgent.slice(0, MAX_USER_AGENT) }),
				...(address && { address }),
			}),
		]);
	}

	/**
	 * A page of an account's open sessions, the one begun last first.
	 * @param current the session that asks
	 */
	async of(
		accountId: string,
		current: string,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ sessions: SessionView[]; next: DocumentCursor | undefined }> {
		const isOpen = await this.#sessions.openOf(accountId);
		const { documents, next } = await documentPage(this.#open, {
			sections: [{ accountId }],
			by: 'startedAt',
			...page,
			keep: ({ id, value: { renewedAt, expiresAt } }) =>
				isOpen({ jti: id, iat: renewedAt / 1000, exp: expiresAt / 1000 }),
		});
		const sessions = documents.map(({ id, value: { accountId: _own, ...session } }) => ({
			id,
			current: id === current,
			...session,
		}));
		return { sessions, next };
	}

	/** The claims of a session of this account that `Sessions.end` needs; undefined if it has none of this id. */
	async find(accountId: string, id: string): Promise<Pick<AccountClaims, 'sub' | 'jti' | 'exp'> | undefined> {
		const stored = await this.#open.get(id);
		if (stored?.value.accountId !== accountId) return undefined;
		return { sub: accountId, jti: id, exp: stored.value.expiresAt / 1000 };
	}

	/** Takes a session that has ended off the list. */
	async forget(id: string): Promise<void> {
		await this.#store.commit([this.#open.remove(id)]);
	}

	/** Takes the sessions of an account off the list, but for `except`. */
	async forgetAll(accountId: string, except?: string): Promise<void> {
		for (;;) {
			const batch = await this.#open.find({ where: { accountId }, limit: REMOVE_BATCH });
			await this.#store.commit(batch.filter(({ id }) => id !== except).map(({ id }) => this.#open.remove(id)));
			if (batch.length < REMOVE_BATCH) return;
		}
	}

	/** Removes sessions whose tokens have expired, at most 1000. @param now epoch ms */
	async removeExpired(now: number): Promise<void> {
		const expired = await this.#open.find({ where: { expiresAt: { lt: now } }, limit: MAX_REMOVED });
		for (let i = 0; i < expired.length; i += REMOVE_BATCH)
			await this.#store.commit(expired.slice(i, i + REMOVE_BATCH).map(({ id }) => this.#open.remove(id)));
	}
}
