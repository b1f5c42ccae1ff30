import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** How an OpenID provider differs from a plain one. */
export interface Oddities {
	/** The issuer it calls itself; `{url}` stands for its URL. Default `{url}`. */
	issuer?: string;
	/** Claims of whoever signs in, in the ID token. */
	claims?: Record<string, unknown>;
	/** Claims at the userinfo endpoint only. */
	userinfo?: Record<string, unknown>;
	/** How far its clock is ahead, in seconds. */
	clockAhead?: number;
	/** What it says about, and how it takes, the client's secret. Default: `client_secret_basic` for both. */
	stated?: string[];
	takes?: 'client_secret_basic' | 'client_secret_post';
}

export interface OddProvider {
	readonly url: string;
	/** May be changed between sign-ins. */
	odd: Oddities;
	close(): Promise<void>;
}

const SECRET = 'a client secret of the tests';
export const ODD_CLIENT = { clientId: 'crowdvision', clientSecret: SECRET };

/** An OpenID provider on loopback that signs everybody in without a question, in the ways that real ones are odd. */
export async function startOddProvider(): Promise<OddProvider> {
	const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
	const nonces = new Map<string, string>();
	const provider: { odd: Oddities } = { odd: {} };
	const server = createServer((request, response) => {
		answer(request).then(
			({ status = 200, location, body }) => {
				response.writeHead(status, { 'content-type': 'application/json', ...(location && { location }) });
				response.end(body === undefined ? undefined : JSON.stringify(body));
			},
			() => response.writeHead(500).end(),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
	const issuerOf = () => (provider.odd.issuer ?? '{url}').replace('{url}', url);

	async function answer(request: IncomingMessage): Promise<{ status?: number; location?: string; body?: unknown }> {
		const asked = new URL(request.url ?? '/', url);
		const { odd } = provider;
		switch (asked.pathname) {
			case '/realm/.well-known/openid-configuration':
			case '/.well-known/openid-configuration':
				return {
					body: {
						issuer: issuerOf(),
						authorization_endpoint: `${url}/authorize`,
						token_endpoint: `${url}/token`,
						jwks_uri: `${url}/jwks`,
						...(odd.userinfo && { userinfo_endpoint: `${url}/userinfo` }),
						...(odd.stated && { token_endpoint_auth_methods_supported: odd.stated }),
						response_types_supported: ['code'],
						subject_types_supported: ['public'],
						id_token_signing_alg_values_supported: ['RS256'],
					},
				};
			case '/authorize': {
				const code = randomUUID();
				nonces.set(code, asked.searchParams.get('nonce') ?? '');
				const back = new URL(asked.searchParams.get('redirect_uri')!);
				back.search = new URLSearchParams({ code, state: asked.searchParams.get('state')! }).toString();
				return { status: 302, location: back.href };
			}
			case '/token':
				return token(request);
			case '/jwks':
				return { body: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }] } };
			case '/userinfo':
				return { body: { sub: 'somebody', ...odd.userinfo } };
			default:
				return { status: 404 };
		}
	}

	async function token(request: IncomingMessage) {
		let text = '';
		for await (const chunk of request) text += String(chunk);
		const form = new URLSearchParams(text);
		const { takes = 'client_secret_basic', clockAhead = 0, claims } = provider.odd;
		const basic = Buffer.from(`crowdvision:${encodeURIComponent(SECRET).replace(/%20/g, '+')}`).toString('base64');
		const admitted =
			takes === 'client_secret_post'
				? form.get('client_secret') === SECRET && request.headers.authorization === undefined
				: request.headers.authorization === `Basic ${basic}`;
		if (!admitted) return { status: 401, body: { error: 'invalid_client' } };
		const now = Math.floor(Date.now() / 1000) + clockAhead;
		const idToken = await new SignJWT({ nonce: nonces.get(form.get('code') ?? ''), ...claims })
			.setProtectedHeader({ alg: 'RS256', kid: 'k' })
			.setIssuer(issuerOf())
			.setSubject('somebody')
			.setAudience('crowdvision')
			.setIssuedAt(now)
			.setNotBefore(now)
			.setExpirationTime(now + 60)
			.sign(privateKey);
		return { body: { access_token: 'opaque', token_type: 'Bearer', expires_in: 60, id_token: idToken } };
	}

	return Object.assign(provider, {
		url,
		close: () =>
			new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	});
}
