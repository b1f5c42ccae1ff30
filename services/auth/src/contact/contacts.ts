import { timingSafeEqual } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import type { Seal } from '../secrets/sealed.ts';
import { type AccountDocument, contactOf } from '../store.ts';

const LINK_DAYS = 7;
const DAY_SECONDS = 24 * 3600;
const PURPOSE = 'confirmation of an address';
/** Whether the first account was looked for that an earlier version made. */
const FIRST_ACCOUNT = 'first-account';

/**
 * Which addresses of accounts are confirmed. A link holds the account, its expiry, and a signature over both and the
 * address: nothing of it is stored, and it is void once the address is another one.
 */
export class Contacts {
	readonly #store: Store;
	readonly #accounts: Collection<AccountDocument>;
	readonly #seal: Seal;
	readonly #nowSeconds: () => number;

	constructor(store: Store, seal: Seal, nowSeconds: () => number) {
		this.#store = store;
		this.#accounts = store.collection('accounts');
		this.#seal = seal;
		this.#nowSeconds = nowSeconds;
	}

	/**
	 * The token of a link that confirms the address of an account, and that address.
	 * @throws CrowdVisionError `conflict` where there is no address, or it is confirmed; `unauthenticated`
	 */
	async linkFor(accountId: string): Promise<{ token: string; address: string }> {
		const stored = await this.#accounts.get(accountId);
		if (!stored) throw new CrowdVisionError('unauthenticated', 'This account no longer exists');
		const address = contactOf(stored.value);
		if (address === undefined) throw new CrowdVisionError('conflict', 'This account has no e-mail address');
		if (stored.value.confirmed === address) throw new CrowdVisionError('conflict', 'This address is confirmed already');
		const expires = (this.#nowSeconds() + LINK_DAYS * DAY_SECONDS).toString(36);
		return { token: `${accountId}.${expires}.${this.#signature(accountId, expires, address)}`, address };
	}

	/** The address that a link would confirm. @throws CrowdVisionError `not_found` for a link that is void */
	async addressOf(token: string): Promise<string> {
		return contactOf((await this.#read(token)).value)!;
	}

	/** Confirms the address; repeating it changes nothing. @throws CrowdVisionError `not_found` for a void link */
	async confirm(token: string): Promise<string> {
		return retryOnConflict(async () => {
			const stored = await this.#read(token);
			const address = contactOf(stored.value)!;
			if (stored.value.confirmed !== address)
				await this.#store.commit([this.#accounts.replace(stored, { ...stored.value, confirmed: address })]);
			return address;
		});
	}

	/**
	 * Takes the address of the first account for confirmed that an earlier version made: whoever set the installation up.
	 * Done once, at the first start of this version; accounts of later starts are confirmed as they are made.
	 */
	async takeOver(): Promise<void> {
		await retryOnConflict(async () => {
			const taken = this.#store.collection<{ at: number }>('takenOver');
			if (await taken.get(FIRST_ACCOUNT)) return;
			const [first] = await this.#accounts.find({ order: { by: 'createdAt' }, limit: 1 });
			const address = first && contactOf(first.value);
			await this.#store.commit([
				taken.insert(FIRST_ACCOUNT, { at: this.#nowSeconds() * 1000 }),
				...(first && address !== undefined
					? [this.#accounts.replace(first, { ...first.value, confirmed: address })]
					: []),
			]);
		});
	}

	async #read(token: string): Promise<Versioned<AccountDocument>> {
		const [accountId = '', expires = '', signature = ''] = token.split('.');
		const stored = /^[0-9a-f-]{36}$/.test(accountId) ? await this.#accounts.get(accountId) : undefined;
		const address = stored && contactOf(stored.value);
		const expected = Buffer.from(this.#signature(accountId, expires, address ?? ''));
		const given = Buffer.from(signature);
		const isSigned = given.length === expected.length && timingSafeEqual(given, expected);
		if (!stored || address === undefined || !isSigned || Number.parseInt(expires, 36) <= this.#nowSeconds())
			throw new CrowdVisionError('not_found', 'This link is too old, or not of this installation: ask for another one');
		return stored;
	}

	#signature(accountId: string, expires: string, address: string): string {
		return this.#seal.signature(PURPOSE, `${accountId} ${expires} ${address}`);
	}
}
