import type { Logger } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';
import { summary } from '../names.ts';
import type { Seal } from '../secrets/sealed.ts';
import type { InvitesDocument, SigningKeyDocument, SsoDocument } from '../store.ts';

const MAX_DOCUMENTS = 1000;

/**
 * Whether the stored secrets can be read with the key at hand. After a restore without its key they cannot: invites,
 * the secrets of identity providers and private signing keys are then of no use.
 */
export class MissingKeys {
	readonly #store: Store;
	readonly #seal: Seal;
	readonly #logger: Logger;
	#trouble: string | undefined;

	constructor(store: Store, seal: Seal, logger: Logger) {
		this.#store = store;
		this.#seal = seal;
		this.#logger = logger;
	}

	/** What is wrong and what to do, as of the last `check`. */
	trouble(): string | undefined {
		return this.#trouble;
	}

	/** Looks at the stored secrets, and logs once what cannot be read. */
	async check(): Promise<void> {
		const lost = [
			...(await this.#lostInvites()).map((name) => `invites of ${name}`),
			...(await this.#lostProviders()).map((name) => `the client secret of ${name}'s identity provider`),
		];
		const before = this.#trouble;
		if (before === undefined) await this.#noteSigningKeys();
		this.#trouble =
			lost.length === 0
				? undefined
				: `AUTH_KEY, or the file auth-key in DATA_DIR, is not the one that these were stored with: ${summary(lost)}. ` +
					'Restore it from the backup, or rotate these invites and enter these client secrets again';
		if (this.#trouble !== undefined && before === undefined) this.#logger.error(this.#trouble);
	}

	async #lostInvites(): Promise<string[]> {
		const all = await this.#store.collection<InvitesDocument>('invites').find({ limit: MAX_DOCUMENTS });
		return all
			.filter(({ id, value: { roles } }) =>
				Object.entries(roles).some(([role, { secret }]) => !this.#seal.opens(`invite ${id} ${role}`, secret)),
			)
			.map(({ id }) => id);
	}

	async #lostProviders(): Promise<string[]> {
		const all = await this.#store.collection<SsoDocument>('sso').find({ limit: MAX_DOCUMENTS });
		return all
			.filter(({ id, value: { clientSecret } }) => clientSecret && !this.#seal.opens(`sso ${id}`, clientSecret))
			.map(({ id }) => id);
	}

	/** Signing keys that cannot be read only verify; another one signs, so this is no trouble for long. */
	async #noteSigningKeys(): Promise<void> {
		const all = await this.#store.collection<SigningKeyDocument>('signingKeys').find({ limit: MAX_DOCUMENTS });
		const lost = all.filter(({ id, value: { d } }) => d !== undefined && !this.#seal.opens(`signing key ${id}`, d));
		if (lost.length > 0)
			this.#logger.error(
				{ kids: lost.map(({ id }) => id) },
				'signing keys cannot be read, as AUTH_KEY is another one: they only verify from now on, and a new key signs',
			);
	}
}
