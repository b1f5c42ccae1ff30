/** The accounts and domains of the tenants, as auth has them. */
import { waitFor } from '@crowdvision/testing/wait';
import type { Reply, Site } from './site.ts';
import type { SignIn } from './ways-in.ts';

interface Tenant {
	/** Of its session. */
	token: string;
	domain: string;
}

const PASSWORD = 'a password for tests only';
const VISITOR = 'visitor@tenancy.example';

/** Each tenant has an account, which administers its domain. */
export class Accounts {
	readonly #site: Site;
	readonly #tenants = new Map<string, Tenant>();
	/** Each domain's name is used once only. */
	#domains = 0;

	private constructor(site: Site) {
		this.#site = site;
	}

	static async open(site: Site, names: readonly string[]): Promise<Accounts> {
		const accounts = new Accounts(site);
		for (const name of names) {
			await accounts.#register(`${name}@tenancy.example`);
			const token = await accounts.#login(`${name}@tenancy.example`);
			accounts.#tenants.set(name, { token, domain: '' });
			await accounts.#makeDomain(name);
		}
		return accounts;
	}

	domainOf(name: string): string {
		return this.#of(name).domain;
	}

	tokenOf(name: string): string {
		return this.#of(name).token;
	}

	ask(name: string, method: string, path: string, body?: unknown): Promise<Reply> {
		return this.#site.ask(this.tokenOf(name), method, path, body);
	}

	/** @throws Error for a status of 400 or above */
	call<T>(name: string, method: string, path: string, body?: unknown): Promise<T> {
		return this.#site.call<T>(this.tokenOf(name), method, path, body);
	}

	/** A device that may send for every building of the tenant. */
	async device(name: string): Promise<SignIn> {
		const { domain } = this.#of(name);
		const id = `device-of-${domain}`;
		return { id, token: await this.#site.tokens.signDevice({ id, domainName: domain }) };
	}

	/** Removes the tenant's domain, which must be empty, and makes one of another name. */
	async remakeDomain(name: string, other: string): Promise<void> {
		const { domain } = this.#of(name);
		const removal = async () => {
			const { status, text } = await this.ask(name, 'DELETE', `/auth/domains/${domain}`);
			if (status !== 204 && status !== 409) throw new Error(`removing ${domain} was answered ${status} ${text}`);
			return status === 204;
		};
		await waitFor('auth to know that the domain has no buildings', removal);
		const taken = await this.ask(other, 'POST', '/auth/domains', { name: domain });
		if (taken.status !== 409) throw new Error(`the name ${domain} was given again: ${taken.status}`);
		await this.#makeDomain(name);
	}

	/** Somebody signs up, asks, leaves, and signs up again: nothing of before is there. */
	async remakeVisitor(): Promise<void> {
		const site = this.#site;
		await this.#register(VISITOR);
		const before = await this.#login(VISITOR);
		await site.call(before, 'POST', '/llm/ask', { question: 'Is anybody there?' });
		await site.call(before, 'POST', '/auth/domains', { name: `visited-${++this.#domains}` });
		const only = await site.ask(before, 'DELETE', '/auth/me', { password: PASSWORD });
		if (only.status !== 409) throw new Error(`the only admin of a domain left: ${only.status}`);
		await site.call(before, 'DELETE', `/auth/domains/visited-${this.#domains}`);
		await site.call(before, 'DELETE', '/auth/me', { password: PASSWORD });
		for (const path of ['/auth/me', '/llm/conversations', '/twin/buildings', '/notification/alerts'])
			await waitFor(`the session to end at ${path}`, async () => (await site.ask(before, 'GET', path)).status === 401);
		await this.#register(VISITOR);
		const again = await this.#login(VISITOR);
		const seen = await Promise.all(
			['/llm/conversations', '/auth/domains', '/twin/buildings', '/notification/alerts'].map((path) =>
				site.call<Record<string, unknown>>(again, 'GET', path),
			),
		);
		for (const one of seen)
			if (Object.values(one).some((list) => Array.isArray(list) && list.length > 0))
				throw new Error(`a new account sees what the one before had: ${JSON.stringify(one)}`);
		await site.call(again, 'DELETE', '/auth/me', { password: PASSWORD });
	}

	async #makeDomain(name: string): Promise<void> {
		const tenant = this.#of(name);
		tenant.domain = `${name}-${++this.#domains}`;
		await this.#site.call(tenant.token, 'POST', '/auth/domains', { name: tenant.domain });
		tenant.token = (await this.#site.call<{ token: string }>(tenant.token, 'POST', '/auth/refresh')).token;
	}

	async #register(email: string): Promise<void> {
		await this.#site.call('', 'POST', '/auth/register', { email, password: PASSWORD, name: 'Somebody' });
	}

	async #login(email: string): Promise<string> {
		return (await this.#site.call<{ token: string }>('', 'POST', '/auth/login', { email, password: PASSWORD })).token;
	}

	#of(name: string): Tenant {
		const tenant = this.#tenants.get(name);
		if (!tenant) throw new Error(`there is no tenant ${name}`);
		return tenant;
	}
}
