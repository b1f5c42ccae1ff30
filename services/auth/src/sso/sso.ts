import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AccountView, CrowdVisionError, type SsoRequest, type SsoView } from '@crowdvision/contracts';
import { type Logger, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { Configuration } from 'openid-client';
import type { Seal } from '../secrets/sealed.ts';
import type { SsoReach } from '../settings.ts';
import type { SsoDocument, SsoStateDocument } from '../store.ts';
import type { Identities } from './identities.ts';
import { providerFetch, unreachable } from './provider-fetch.ts';

/** From the first redirect to the return. */
export const SIGN_IN_MS = 10 * 60_000;
const TIMEOUT_SECONDS = 5;
const MOST_STATES = 100_000;

const hash = (text: string) => createHash('sha256').update(text).digest('base64url');

/**
 * Sign-in by a domain's own OpenID provider: authorization code with PKCE S256 and a nonce (OpenID Connect Core, RFC
 * 7636, RFC 9700). What belongs to a sign-in under way is kept here under the hash of a random state: it is used once,
 * for ten minutes, by the browser that began it.
 */
export class Sso {
	readonly #store: Store;
	readonly #settings: Collection<SsoDocument>;
	readonly #states: Collection<SsoStateDocument>;
	readonly #identities: Identities;
	readonly #seal: Seal;
	readonly #reach: SsoReach;
	readonly #logger: Logger;

	constructor(parts: { store: Store; identities: Identities; seal: Seal; reach: SsoReach; logger: Logger }) {
		this.#store = parts.store;
		this.#settings = parts.store.collection('sso');
		this.#states = parts.store.collection('ssoStates');
		this.#identities = parts.identities;
		this.#seal = parts.seal;
		this.#reach = parts.reach;
		this.#logger = parts.logger;
	}

	/** @throws CrowdVisionError `not_found` */
	async settings(domainName: string, redirectUri: string): Promise<SsoView> {
		const { clientSecret, ...rest } = await this.#require(domainName);
		return { ...rest, hasSecret: clientSecret !== undefined, redirectUri };
	}

	/**
	 * Without a client secret the one of before stays, as long as issuer and client do. @throws CrowdVisionError
	 * `invalid` for an issuer out of reach.
	 */
	async configure(
		domainName: string,
		{ clientSecret, defaultRole = 'standard_customer', ...rest }: SsoRequest,
	): Promise<void> {
		const reason = rest.issuer.includes('/.well-known/')
			? 'must be the issuer itself'
			: await unreachable(new URL(rest.issuer), this.#reach);
		if (reason) throw new CrowdVisionError('invalid', `/issuer ${reason}`, { path: '/issuer' });
		await retryOnConflict(async () => {
			const kept = await this.#settings.get(domainName);
			const same = kept?.value.issuer === rest.issuer && kept.value.clientId === rest.clientId;
			const secret =
				clientSecret === undefined
					? same
						? kept.value.clientSecret
						: undefined
					: this.#seal.seal(`sso ${domainName}`, clientSecret);
			const value = { ...rest, defaultRole, ...(secret !== undefined && { clientSecret: secret }) };
			await this.#store.commit([kept ? this.#settings.replace(kept, value) : this.#settings.insert(domainName, value)]);
		});
	}

	/** @throws CrowdVisionError `not_found` */
	async remove(domainName: string): Promise<void> {
		await this.#require(domainName);
		await this.#store.commit([this.#settings.remove(domainName)]);
	}

	/** Begins a sign-in: where to send the browser, and what to give it in a cookie. `to`: a path of this site. */
	async begin(
		domainName: string,
		to: string,
		redirectUri: string,
	): Promise<{ location: URL; state: string; browser: string }> {
		const settings = await this.#require(domainName);
		const client = await import('openid-client');
		const config = await this.#discover(domainName, settings);
		const [state, nonce, codeVerifier, browser] = [
			client.randomState(),
			client.randomNonce(),
			client.randomPKCECodeVerifier(),
			randomBytes(32).toString('base64url'),
		];
		const value: SsoStateDocument = {
			domainName,
			issuer: settings.issuer,
			clientId: settings.clientId,
			nonce,
			codeVerifier,
			browser: hash(browser),
			to,
			expiresAt: Date.now() + SIGN_IN_MS,
		};
		await this.#store.commit([this.#states.insert(hash(state), value)]);
		const location = client.buildAuthorizationUrl(config, {
			redirect_uri: redirectUri,
			scope: 'openid profile email',
			state,
			nonce,
			code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
			code_challenge_method: 'S256',
		});
		return { location, state, browser };
	}

	/**
	 * Ends a sign-in. `callback` is the URL that the provider sent the browser to, `browser` what its cookie holds.
	 * @throws CrowdVisionError `bad_request` for a state that is unknown, used, too old or of another browser;
	 * `unauthenticated` for what the provider refuses or does not prove; `forbidden` for an e-mail address of another
	 * domain than allowed.
	 */
	async end(callback: URL, browser: string | undefined): Promise<{ account: AccountView; to: string }> {
		const state = callback.searchParams.get('state') ?? '';
		const kept = await this.#states.get(hash(state));
		const refusal = new CrowdVisionError('bad_request', 'This sign-in was not begun here, or too long ago: begin anew');
		if (!kept || kept.value.expiresAt <= Date.now()) throw refusal;
		// Before it is used up: who only got hold of the URL must not be able to end somebody's sign-in.
		if (!timingSafeEqual(Buffer.from(hash(browser ?? '')), Buffer.from(kept.value.browser))) throw refusal;
		try {
			await this.#store.commit([this.#states.remove(kept)]);
		} catch (error) {
			throw error instanceof CrowdVisionError && error.code === 'conflict' ? refusal : error;
		}
		const { domainName, nonce, codeVerifier, issuer, clientId, to } = kept.value;
		const settings = await this.#require(domainName);
		if (settings.issuer !== issuer || settings.clientId !== clientId) throw refusal;
		const claims = await this.#redeem(domainName, settings, callback, { state, nonce, codeVerifier });
		const email = typeof claims.email === 'string' ? claims.email.slice(0, 254) : undefined;
		if (settings.emailDomains) {
			const domain = email?.toLowerCase().split('@').at(-1) ?? '';
			if (claims.email_verified !== true || !settings.emailDomains.includes(domain)) {
				throw new CrowdVisionError(
					'forbidden',
					'This domain lets in verified e-mail addresses of certain domains only',
				);
			}
		}
		const name =
			[claims.name, claims.preferred_username, email].find((one) => typeof one === 'string' && /\S/.test(one)) ??
			'somebody';
		const person = {
			issuer,
			subject: claims.sub,
			name: String(name).trim().slice(0, 200),
			...(email !== undefined && { email }),
		};
		return { account: await this.#identities.signIn(person, domainName, settings.defaultRole), to };
	}

	/** Removes sign-ins that nobody came back from. */
	async forget(): Promise<void> {
		const old = await this.#states.find({ where: { expiresAt: { lt: Date.now() } }, limit: MOST_STATES });
		for (let i = 0; i < old.length; i += 100)
			await this.#store.commit(old.slice(i, i + 100).map(({ id }) => this.#states.remove(id)));
	}

	async #redeem(
		domainName: string,
		settings: SsoDocument,
		callback: URL,
		{ state, nonce, codeVerifier }: { state: string; nonce: string; codeVerifier: string },
	) {
		const client = await import('openid-client');
		const config = await this.#discover(domainName, settings);
		try {
			const tokens = await client.authorizationCodeGrant(config, callback, {
				expectedState: state,
				expectedNonce: nonce,
				pkceCodeVerifier: codeVerifier,
				idTokenExpected: true,
			});
			return tokens.claims()!;
		} catch (error) {
			if (error instanceof CrowdVisionError) throw error;
			const { code, error: told } = error as { code?: string; error?: string };
			this.#logger.info({ domainName, code, told }, 'a sign-in by a provider was refused');
			throw new CrowdVisionError('unauthenticated', 'The provider did not confirm who you are: begin anew');
		}
	}

	/** @throws CrowdVisionError `unavailable` when the provider does not answer as one within five seconds. */
	async #discover(domainName: string, { issuer, clientId, clientSecret }: SsoDocument): Promise<Configuration> {
		const client = await import('openid-client');
		const secret = clientSecret === undefined ? undefined : this.#seal.open(`sso ${domainName}`, clientSecret);
		try {
			return await client.discovery(
				new URL(issuer),
				clientId,
				undefined,
				secret === undefined ? client.None() : client.ClientSecretBasic(secret),
				{
					timeout: TIMEOUT_SECONDS,
					[client.customFetch]: providerFetch(this.#reach) as never,
					...(this.#reach === 'loopback' && { execute: [client.allowInsecureRequests] }),
				},
			);
		} catch (error) {
			this.#logger.warn({ domainName, err: (error as Error).message }, 'an identity provider could not be asked');
			throw new CrowdVisionError('unavailable', "The domain's identity provider cannot be reached, or is none", {}, 10);
		}
	}

	async #require(domainName: string): Promise<SsoDocument> {
		const kept = await this.#settings.get(domainName);
		if (!kept) throw new CrowdVisionError('not_found', 'There is no sign-in by a provider for this domain');
		return kept.value;
	}
}
