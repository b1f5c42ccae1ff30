import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AccountView, CrowdVisionError, type SsoRequest, type SsoView } from '@crowdvision/contracts';
import { type Logger, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { Configuration } from 'openid-client';
import type { Seal } from '../secrets/sealed.ts';
import type { SsoReach } from '../settings.ts';
import type { SsoDocument, SsoStateDocument } from '../store.ts';
import type { Identities } from './identities.ts';
import { providerFetch, refusalReason } from './provider-fetch.ts';

/** How long a sign-in may take, from the redirect to the provider to the return. */
export const SIGN_IN_MS = 10 * 60_000;
/** How long the provider may take to answer a request. */
const TIMEOUT_SECONDS = 5;
const MAX_REMOVED = 100_000;

const hash = (text: string) => createHash('sha256').update(text).digest('base64url');

/**
 * Sign-in through a domain's own OpenID provider: authorization code flow with PKCE S256 and a nonce (OpenID Connect
 * Core 1.0, RFC 7636, RFC 9700). A sign-in under way is stored under the hash of a random state. It can be completed
 * once, within ten minutes, by the browser that started it.
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

	/** The provider settings of a domain, without the secret. @throws CrowdVisionError `not_found` */
	async settings(domainName: string, redirectUri: string): Promise<SsoView> {
		const { clientSecret, ...rest } = await this.#require(domainName);
		return { ...rest, hasSecret: clientSecret !== undefined, redirectUri };
	}

	/**
	 * Sets the provider of a domain. Without a client secret, the current one is kept if issuer and client stay the same.
	 * @throws CrowdVisionError `invalid` for an issuer that SSO_REACH does not allow
	 */
	async configure(
		domainName: string,
		{ clientSecret, defaultRole = 'standard_customer', ...rest }: SsoRequest,
	): Promise<void> {
		const refusal = rest.issuer.includes('/.well-known/')
			? 'must be the issuer, without /.well-known/…'
			: await refusalReason(new URL(rest.issuer), this.#reach);
		if (refusal) throw new CrowdVisionError('invalid', `/issuer ${refusal}`, { path: '/issuer' });
		await retryOnConflict(async () => {
			const stored = await this.#settings.get(domainName);
			const same = stored?.value.issuer === rest.issuer && stored.value.clientId === rest.clientId;
			const current = same ? stored.value.clientSecret : undefined;
			const sealed = clientSecret === undefined ? current : this.#seal.seal(`sso ${domainName}`, clientSecret);
			const value = { ...rest, defaultRole, ...(sealed !== undefined && { clientSecret: sealed }) };
			await this.#store.commit([
				stored ? this.#settings.replace(stored, value) : this.#settings.insert(domainName, value),
			]);
		});
	}

	/** @throws CrowdVisionError `not_found` */
	async remove(domainName: string): Promise<void> {
		await this.#require(domainName);
		await this.#store.commit([this.#settings.remove(domainName)]);
	}

	/**
	 * Starts a sign-in. Send the browser to `location`, with `browser` in a cookie named after `state`.
	 * @param to path of this site to return to
	 * @throws CrowdVisionError `not_found` for a domain without a provider, `unavailable` when it does not answer
	 */
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
	 * Completes a sign-in.
	 * @param callback the URL that the provider sent the browser to
	 * @param browser the value of the browser's cookie
	 * @throws CrowdVisionError `bad_request` for a state that is unknown, used, too old, or of another browser;
	 * `unauthenticated` when the provider refuses or its answer is not valid; `forbidden` for an e-mail address that is
	 * not verified or not of an allowed domain
	 */
	async end(callback: URL, browser: string | undefined): Promise<{ account: AccountView; to: string }> {
		const state = callback.searchParams.get('state') ?? '';
		const stored = await this.#states.get(hash(state));
		const refusal = new CrowdVisionError(
			'bad_request',
			'This sign-in was not started here, or too long ago: start again',
		);
		if (!stored || stored.value.expiresAt <= Date.now()) throw refusal;
		// Checked before the state is used up: somebody who only has the URL must not be able to end this sign-in.
		if (!timingSafeEqual(Buffer.from(hash(browser ?? '')), Buffer.from(stored.value.browser))) throw refusal;
		try {
			await this.#store.commit([this.#states.remove(stored)]);
		} catch (error) {
			throw error instanceof CrowdVisionError && error.code === 'conflict' ? refusal : error;
		}
		const { domainName, nonce, codeVerifier, issuer, clientId, to } = stored.value;
		const settings = await this.#require(domainName);
		if (settings.issuer !== issuer || settings.clientId !== clientId) throw refusal;
		const claims = await this.#redeem(domainName, settings, callback, { state, nonce, codeVerifier });
		const email = typeof claims.email === 'string' ? claims.email.slice(0, 254) : undefined;
		if (settings.emailDomains) {
			const domain = email?.toLowerCase().split('@').at(-1) ?? '';
			if (claims.email_verified !== true || !settings.emailDomains.includes(domain)) {
				throw new CrowdVisionError(
					'forbidden',
					'Only verified e-mail addresses of certain domains may sign in to this domain',
				);
			}
		}
		const name =
			[claims.name, claims.preferred_username, email].find((text) => typeof text === 'string' && /\S/.test(text)) ??
			'Unnamed';
		const person = {
			issuer,
			subject: claims.sub,
			name: String(name).trim().slice(0, 200),
			...(email !== undefined && { email }),
		};
		return { account: await this.#identities.signIn(person, domainName, settings.defaultRole), to };
	}

	/** Removes sign-ins that were not completed in time. */
	async removeExpired(): Promise<void> {
		const expired = await this.#states.find({ where: { expiresAt: { lt: Date.now() } }, limit: MAX_REMOVED });
		for (let i = 0; i < expired.length; i += 100)
			await this.#store.commit(expired.slice(i, i + 100).map(({ id }) => this.#states.remove(id)));
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
			const { code, error: reported } = error as { code?: string; error?: string };
			this.#logger.info({ domainName, code, reported }, 'a sign-in through an identity provider was refused');
			throw new CrowdVisionError('unauthenticated', 'The identity provider did not confirm who you are: start again');
		}
	}

	/** @throws CrowdVisionError `unavailable` when the provider does not answer within 5 s, or not as OpenID defines */
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
			this.#logger.warn(
				{ domainName, err: (error as Error).message },
				'the configuration of an identity provider could not be fetched',
			);
			throw new CrowdVisionError(
				'unavailable',
				"The domain's identity provider cannot be reached, or is no OpenID provider",
				{},
				10,
			);
		}
	}

	async #require(domainName: string): Promise<SsoDocument> {
		const stored = await this.#settings.get(domainName);
		if (!stored) throw new CrowdVisionError('not_found', 'This domain has no identity provider');
		return stored.value;
	}
}
