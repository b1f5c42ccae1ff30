import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

/** A real OpenID provider on loopback. Its login form accepts any name, which becomes the `sub` claim. */
export interface IdentityProvider {
	issuer: string;
	close(): Promise<void>;
}

export const CLIENT = { clientId: 'crowdvision', clientSecret: 'a client secret of the tests' };

/** @param emails the e-mail claims of each account, by name */
export async function startIdentityProvider(
	redirectUri: string,
	emails: Record<string, { email: string; email_verified: boolean }> = {},
): Promise<IdentityProvider> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
	const { privateKey } = await generateKeyPair('RS256', { extractable: true });
	const provider = new Provider(issuer, {
		clients: [
			{
				client_id: CLIENT.clientId,
				client_secret: CLIENT.clientSecret,
				redirect_uris: [redirectUri],
				response_types: ['code'],
				grant_types: ['authorization_code'],
			},
		],
		jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'provider', alg: 'RS256', use: 'sig' }] },
		cookies: { keys: ['only for tests'] },
		conformIdTokenClaims: false,
		claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
		findAccount: (_context: unknown, id: string) => ({
			accountId: id,
			claims: () => ({ sub: id, name: `${id} of the provider`, ...emails[id] }),
		}),
	});
	server.on('request', provider.callback());
	return {
		issuer,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

/** Keeps cookies per site and follows redirects one by one, so that a test can inspect each step. */
export class Browser {
	readonly #cookies = new Map<string, Map<string, string>>();

	async request(
		url: string,
		form?: Record<string, string>,
	): Promise<{ status: number; location: string | undefined; text: string; headers: Headers }> {
		const { origin } = new URL(url);
		const jar = this.#cookies.get(origin) ?? new Map<string, string>();
		this.#cookies.set(origin, jar);
		const response = await fetch(url, {
			redirect: 'manual',
			headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
			...(form && { method: 'POST', body: new URLSearchParams(form) }),
		});
		for (const cookie of response.headers.getSetCookie()) {
			const [name = '', value = ''] = cookie.split(';')[0]!.split(/=(.*)/s);
			if (value === '' || /expires=Thu, 01 Jan 1970/i.test(cookie)) jar.delete(name);
			else jar.set(name, value);
		}
		const location = response.headers.get('location');
		return {
			status: response.status,
			location: location ? new URL(location, url).href : undefined,
			text: await response.text(),
			headers: response.headers,
		};
	}

	/**
	 * Signs in at the provider as `name`: follows redirects and fills in forms until a redirect leads to `until`.
	 * @returns the URL of that redirect, which was not requested
	 */
	async signIn(url: string, name: string, until: string): Promise<string> {
		let answer = await this.request(url);
		for (let step = 0; step < 20; step++) {
			if (answer.location?.startsWith(until)) return answer.location;
			if (answer.location) answer = await this.request(answer.location);
			else {
				const action = /<form[^>]* action="([^"]+)"/.exec(answer.text)?.[1];
				const prompt = /name="prompt" value="(\w+)"/.exec(answer.text)?.[1];
				if (!action || !prompt)
					throw new Error(`the provider answered ${answer.status} without a form: ${answer.text.slice(0, 300)}`);
				answer = await this.request(new URL(action, url).href.replace(/&amp;/g, '&'), {
					prompt,
					...(prompt === 'login' && { login: name, password: 'x' }),
				});
			}
		}
		throw new Error('the provider never sent the browser back');
	}
}
