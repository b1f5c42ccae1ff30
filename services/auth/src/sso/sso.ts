import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AccountView, CrowdVisionError, type SsoRequest, type SsoView } from '@crowdvision/contracts';
import { type Logger, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { ClientAuth, Configuration } from 'openid-client';
import type { Seal } from '../secrets/sealed.ts';
import type { SsoReach } from '../settings.ts';
import type { SsoDocument, SsoStateDocument } from '../store.ts';
import type { Identities } from './identities.ts';
import { issuerAsStated, providerFetch, refusalReason } from './provider-fetch.ts';
import { explain, SsoRefusal } from './sso-refusal.ts';

/** How long a sign-in may take, from the redirect to the provider to the return. */
export const SIGN_IN_MS = 10 * 60_000;
/** How long the provider may take to answer a request. */
const TIMEOUT_SECONDS = 5;
const MAX_REMOVED = 100_000;
const MAX_DOMAINS = 10_000;
const MAX_FOUND = 5;
/** How far the provider's clock may be off. */
const CLOCK_TOLERANCE_SECONDS = 120;

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
		const refusal = await this.#issuerMistake(rest.issuer);
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

	/**
	 * What is wrong with an issuer, as the predicate of a sentence. A provider that does not answer now may do so later.
	 */
	async #issuerMistake(issuer: string): Promise<string | undefined> {
		if (issuer.includes('/.well-known/')) return 'must be the issuer, without /.well-known/…';
		if (!URL.canParse(issuer)) return 'must be a URL';
		const refusal = await refusalReason(new URL(issuer), this.#reach);
		if (refusal) return refusal;
		const own = await issuerAsStated(issuer, this.#reach, TIMEOUT_SECONDS);
		return own === undefined || own === issuer ? undefined : `must be ${own}, as the provider calls itself`;
	}

	/**
	 * The domains whose provider somebody may want who typed this: the domain of that name, or those that admit e-mail
	 * addresses like it; at most 5.
	 */
	async find(typed: string): Promise<string[]> {
		const [, emailDomain] = /@([^\s@]+)$/.exec(typed.trim()) ?? [];
		if (emailDomain === undefined) return (await this.#settings.get(typed.trim())) ? [typed.trim()] : [];
		const all = await this.#settings.find({ limit: MAX_DOMAINS });
		return all
			.filter(({ value }) => value.emailDomains?.includes(emailDomain.toLowerCase()))
			.map(({ id }) => id)
			.slice(0, MAX_FOUND);
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
		const refusal = new SsoRefusal(
			'expired',
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
			if (!settings.emailDomains.includes(domain))
				throw new SsoRefusal(
					'emailDomain',
					'forbidden',
					'Only verified e-mail addresses of certain domains may sign in to this domain',
				);
			// Some providers send it as text.
			if (claims.email_verified !== true && claims.email_verified !== 'true')
				throw new SsoRefusal(
					'unverified',
					'forbidden',
					'Only verified e-mail addresses may sign in to this domain, and the provider does not say that this one is ' +
						'(email_verified)',
				);
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
		const checks = {
			expectedState: state,
			expectedNonce: nonce,
			pkceCodeVerifier: codeVerifier,
			idTokenExpected: true,
		};
		try {
			const tokens = await client.authorizationCodeGrant(config, callback, checks).catch(async (error: unknown) => {
				// The provider takes the secret in the body only, whatever its configuration says.
				if ((error as { error?: string }).error !== 'invalid_client' || settings.clientSecret === undefined)
					throw error;
				return client.authorizationCodeGrant(await this.#discover(domainName, settings, true), callback, checks);
			});
			const claims = tokens.claims()!;
			if (claims.email !== undefined || config.serverMetadata().userinfo_endpoint === undefined) return claims;
			// Providers may send these claims here only (OpenID Connect Core 1.0, section 5.4).
			const more = await client.fetchUserInfo(config, tokens.access_token, claims.sub).catch(() => ({}));
			return { ...more, ...claims };
		} catch (error) {
			if (error instanceof CrowdVisionError) throw error;
			const { code, error: reported, message } = error as { code?: string; error?: string; message?: string };
			this.#logger.info({ domainName, code, reported, message }, 'a sign-in through an identity provider was refused');
			const [reason, why] = explain(code, reported);
			throw new SsoRefusal(reason, 'unauthenticated', `The identity provider did not confirm who you are: ${why}`);
		}
	}

	/** @throws CrowdVisionError `unavailable` when the provider does not answer within 5 s, or not as OpenID defines */
	async #discover(
		domainName: string,
		{ issuer, clientId, clientSecret }: SsoDocument,
		secretInBody = false,
	): Promise<Configuration> {
		const client = await import('openid-client');
		const secret = clientSecret === undefined ? undefined : this.#seal.open(`sso ${domainName}`, clientSecret);
		try {
			return await client.discovery(
				new URL(issuer),
				clientId,
				{ [client.clockTolerance]: CLOCK_TOLERANCE_SECONDS },
				secret === undefined ? client.None() : secretFor(client, secret, secretInBody),
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
			const own = await issuerAsStated(issuer, this.#reach, TIMEOUT_SECONDS);
			if (own !== undefined && own !== issuer)
				throw new SsoRefusal(
					'misconfigured',
					'unavailable',
					`The identity provider calls itself ${own}, but the domain's settings name ${issuer}: correct the issuer`,
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

/**
 * Sends the client's secret as the provider asks for it: in the Authorization header, which every provider must take
 * (RFC 6749, section 2.3.1), unless its configuration only lists the body.
 */
function secretFor(client: typeof import('openid-client'), secret: string, inBody: boolean): ClientAuth {
	const [basic, post] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)];
	return (server, metadata, body, headers) => {
		const methods = server.token_endpoint_auth_methods_supported;
		const onlyPost = methods !== undefined && !methods.includes('client_secret_basic');
		(inBody || onlyPost ? post : basic)(server, metadata, body, headers);
	};
}
