import { randomUUID } from 'node:crypto';
import { CONVERSATION_BOUNDS, type Conversation, CrowdVisionError } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type Store, type Versioned } from '@crowdvision/store';
import type { ConversationDocument, Turn } from '../store.ts';

/** Conversations removed in one commit. */
const REMOVE_BATCH = 100;

/**
 * The questions and answers of each account, visible only to it. Beyond CONVERSATION_BOUNDS the oldest conversations
 * and turns are removed.
 */
export class Conversations {
	readonly #store: Store;
	readonly #conversations: Collection<ConversationDocument>;
	/** Accounts that were deleted since the start: a question of theirs may still be answered. */
	readonly #closed = new Set<string>();

	constructor(store: Store) {
		this.#store = store;
		this.#conversations = store.collection('conversations');
	}

	/**
	 * A page of the account's conversations, newest first, without turns that cite a building the account may no longer
	 * see.
	 * @param visible the buildings that it may see, as `generationKey`s
	 */
	async list(
		accountId: string,
		visible: ReadonlySet<string>,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ conversations: Conversation[]; next: DocumentCursor | undefined }> {
		const { documents, next } = await documentPage(this.#conversations, {
			sections: [{ accountId }],
			by: 'updatedAt',
			...page,
		});
		const conversations = documents.map(({ id, value: { startedAt, updatedAt, turns } }) => ({
			id,
			startedAt,
			updatedAt,
			turns: turns
				.filter(({ buildings }) => buildings.every((building) => visible.has(building)))
				.map(({ buildings: _, ...turn }) => turn),
		}));
		return { conversations, next };
	}

	/** @throws CrowdVisionError `not_found` unless the conversation is this account's */
	async require(accountId: string, id: string): Promise<Versioned<ConversationDocument>> {
		const stored = await this.#conversations.get(id);
		if (stored?.value.accountId === accountId) return stored;
		throw new CrowdVisionError('not_found', 'There is no such conversation');
	}

	/**
	 * Adds a turn to a conversation, or begins one without `id`. Resolves with the conversation's id.
	 * @throws CrowdVisionError `not_found` unless the conversation is this account's
	 */
	async add(accountId: string, id: string | undefined, turn: Turn): Promise<string> {
		const added = await retryOnConflict(async () => {
			if (id === undefined) return this.#begin(accountId, turn);
			const stored = await this.require(accountId, id);
			const turns = [...stored.value.turns, turn].slice(-CONVERSATION_BOUNDS.turns);
			await this.#store.commit([this.#conversations.replace(stored, { ...stored.value, updatedAt: turn.at, turns })]);
			return id;
		});
		if (this.#closed.has(accountId)) await this.removeAll(accountId);
		return added;
	}

	/** @throws CrowdVisionError `not_found` unless the conversation is this account's */
	async remove(accountId: string, id: string): Promise<void> {
		const stored = await this.require(accountId, id);
		await this.#store.commit([this.#conversations.remove(stored.id)]);
	}

	async removeAll(accountId: string): Promise<void> {
		for (;;) {
			const batch = await this.#of(accountId, REMOVE_BATCH);
			await this.#store.commit(batch.map(({ id }) => this.#conversations.remove(id)));
			if (batch.length < REMOVE_BATCH) return;
		}
	}

	/** Deletes all conversations of an account that was deleted, and those it may still begin. */
	async closeAccount(accountId: string): Promise<void> {
		this.#closed.add(accountId);
		await this.removeAll(accountId);
	}

	async #begin(accountId: string, turn: Turn): Promise<string> {
		const id = randomUUID();
		const tooMany = (await this.#of(accountId, REMOVE_BATCH)).slice(CONVERSATION_BOUNDS.conversations - 1);
		await this.#store.commit([
			this.#conversations.insert(id, { accountId, startedAt: turn.at, updatedAt: turn.at, turns: [turn] }),
			...tooMany.map((stored) => this.#conversations.remove(stored.id)),
		]);
		return id;
	}

	#of(accountId: string, limit: number): Promise<Versioned<ConversationDocument>[]> {
		return this.#conversations.find({ where: { accountId }, order: { by: 'updatedAt', descending: true }, limit });
	}
}
