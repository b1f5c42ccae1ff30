import { randomUUID } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import type { ConversationDocument, Turn } from '../store.ts';

/** An account keeps so many conversations of so many turns; of more, the oldest are forgotten. */
const MOST_CONVERSATIONS = 20;
const MOST_TURNS = 50;
const REMOVED_AT_ONCE = 100;

/** Times are epoch ms. */
export interface Conversation {
	id: string;
	startedAt: number;
	updatedAt: number;
	turns: Omit<Turn, 'buildings'>[];
}

/** What each account asked and was told. Nobody else sees it. */
export class Conversations {
	readonly #store: Store;
	readonly #conversations: Collection<ConversationDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#conversations = store.collection('conversations');
	}

	/** Newest first, without the turns that rest on a building the account may no longer see. */
	async list(accountId: string, visible: ReadonlySet<string>): Promise<Conversation[]> {
		return (await this.#of(accountId, MOST_CONVERSATIONS)).map(({ id, value: { startedAt, updatedAt, turns } }) => ({
			id,
			startedAt,
			updatedAt,
			turns: turns
				.filter(({ buildings }) => buildings.every((one) => visible.has(one)))
				.map(({ buildings: _, ...turn }) => turn),
		}));
	}

	/** @throws CrowdVisionError `not_found` for a conversation that is not this account's. */
	async require(accountId: string, id: string): Promise<Versioned<ConversationDocument>> {
		const kept = await this.#conversations.get(id);
		if (kept?.value.accountId === accountId) return kept;
		throw new CrowdVisionError('not_found', 'There is no such conversation');
	}

	/**
	 * Adds a turn to a conversation, or begins one with it. Resolves with the conversation's id.
	 * @throws CrowdVisionError `not_found` for a conversation that is not this account's.
	 */
	add(accountId: string, id: string | undefined, turn: Turn): Promise<string> {
		return retryOnConflict(async () => {
			if (id === undefined) return this.#begin(accountId, turn);
			const kept = await this.require(accountId, id);
			const turns = [...kept.value.turns, turn].slice(-MOST_TURNS);
			await this.#store.commit([this.#conversations.replace(kept, { ...kept.value, updatedAt: turn.at, turns })]);
			return id;
		});
	}

	/** @throws CrowdVisionError `not_found` for a conversation that is not this account's. */
	async remove(accountId: string, id: string): Promise<void> {
		const kept = await this.require(accountId, id);
		await this.#store.commit([this.#conversations.remove(kept.id)]);
	}

	async removeAll(accountId: string): Promise<void> {
		for (;;) {
			const some = await this.#of(accountId, REMOVED_AT_ONCE);
			await this.#store.commit(some.map(({ id }) => this.#conversations.remove(id)));
			if (some.length < REMOVED_AT_ONCE) return;
		}
	}

	async #begin(accountId: string, turn: Turn): Promise<string> {
		const id = randomUUID();
		const tooMany = (await this.#of(accountId, REMOVED_AT_ONCE)).slice(MOST_CONVERSATIONS - 1);
		await this.#store.commit([
			this.#conversations.insert(id, { accountId, startedAt: turn.at, updatedAt: turn.at, turns: [turn] }),
			...tooMany.map((one) => this.#conversations.remove(one.id)),
		]);
		return id;
	}

	#of(accountId: string, limit: number): Promise<Versioned<ConversationDocument>[]> {
		return this.#conversations.find({ where: { accountId }, order: { by: 'updatedAt', descending: true }, limit });
	}
}
