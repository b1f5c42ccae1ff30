import { createHmac, timingSafeEqual } from 'node:crypto';
import { retryOnConflict, type Site } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';
import type { PreferencesDocument } from '../../recipients/recipient-documents.ts';

/** The links that end e-mails about a domain without a session. They hold for good, as old e-mails stay around. */
export class Unsubscribing {
	readonly #store: Store;
	readonly #secret: string;
	readonly #site: Pick<Site, 'publicUrl'>;

	constructor(store: Store, secret: string, site: Pick<Site, 'publicUrl'>) {
		this.#store = store;
		this.#secret = secret;
		this.#site = site;
	}

	urlFor(accountId: string, domainName: string, site: string): string {
		const body = Buffer.from(JSON.stringify([accountId, domainName])).toString('base64url');
		return `${this.#site.publicUrl ?? site}/notification/unsubscribe/${body}.${this.#signature(body)}`;
	}

	/** The domain that a link is about; undefined for a link that was not made here. */
	domainOf(token: string): string | undefined {
		return this.#read(token)?.[1];
	}

	/** Switches e-mails off; repeating it changes nothing. Resolves with false for a link that was not made here. */
	async end(token: string): Promise<boolean> {
		const read = this.#read(token);
		if (!read) return false;
		const [accountId, domainName] = read;
		const preferences = this.#store.collection<PreferencesDocument>('preferences');
		await retryOnConflict(async () => {
			const stored = await preferences.get(`${accountId} ${domainName}`);
			if (!stored?.value.channels.includes('mail')) return;
			const channels = stored.value.channels.filter((channel) => channel !== 'mail');
			await this.#store.commit([preferences.replace(stored, { ...stored.value, channels })]);
		});
		return true;
	}

	#read(token: string): [accountId: string, domainName: string] | undefined {
		const [body = '', signature = ''] = token.split('.');
		const expected = Buffer.from(this.#signature(body));
		const given = Buffer.from(signature);
		if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
		return JSON.parse(Buffer.from(body, 'base64url').toString()) as [string, string];
	}

	#signature(body: string): string {
		return createHmac('sha256', this.#secret).update(`unsubscribe\n${body}`).digest('base64url');
	}
}
