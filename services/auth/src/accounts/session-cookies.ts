import type { SessionResponse } from '@crowdvision/contracts';
import {
	ACCOUNT_SECONDS,
	type Request,
	type Response,
	SESSION_COOKIE,
	SESSION_COOKIE_PARTS,
	type Site,
	type Tokens,
} from '@crowdvision/service-kit';

/** Characters of the token per cookie; browsers accept 4096 bytes with name and attributes. */
const VALUE_CHARACTERS = 3800;
const SSO_COOKIE = 'crowdvision_sso_';

/**
 * The cookies that auth sets in browsers: scripts cannot read them, and other sites cannot make a browser send them.
 * They are named after this installation (`tokens.sessionCookie`) and apply below its path (`site.pathOf`).
 */
export class SessionCookies {
	readonly #site: Site;
	readonly #tokens: Tokens;

	constructor({ site, tokens }: { site: Site; tokens: Tokens }) {
		this.#site = site;
		this.#tokens = tokens;
	}

	/** Sends a token to the caller: in the body for programs, and in cookies. */
	async start(request: Request, response: Response, token: string): Promise<SessionResponse> {
		const options = { ...this.#options(request), maxAge: ACCOUNT_SECONDS * 1000 };
		await this.#clearFormer(request, response);
		for (const [index, suffix] of SESSION_COOKIE_PARTS.entries()) {
			const part = token.slice(index * VALUE_CHARACTERS, (index + 1) * VALUE_CHARACTERS);
			if (part) response.cookie(`${this.#name}${suffix}`, part, options);
			else this.#clear(request, response, `${this.#name}${suffix}`);
		}
		return { token, expiresIn: ACCOUNT_SECONDS };
	}

	/** Clears the session cookies in the caller's browser. */
	async end(request: Request, response: Response): Promise<void> {
		await this.#clearFormer(request, response);
		for (const suffix of SESSION_COOKIE_PARTS)
			this.#clear(request, response, `${this.#name}${suffix}`, { always: suffix === '' });
	}

	/**
	 * Binds a sign-in through a provider to this browser for `maxAge` ms. Each sign-in has its own cookie, so two tabs do
	 * not end each other's.
	 */
	bind(
		request: Request,
		response: Response,
		{ state, browser, maxAge }: { state: string; browser: string; maxAge: number },
	): void {
		response.cookie(nameFor(state), browser, { ...this.#options(request), maxAge });
	}

	/** Reads and clears the cookie that `bind` set; undefined when this browser does not have it. */
	boundTo(request: Request, response: Response, state: string): string | undefined {
		const name = nameFor(state);
		response.clearCookie(name, this.#options(request));
		return cookiesOf(request).get(name);
	}

	get #name(): string {
		return this.#tokens.sessionCookie ?? SESSION_COOKIE;
	}

	/** Clears the cookie of versions that did not name it after the installation, where it is of this one. */
	async #clearFormer(request: Request, response: Response): Promise<void> {
		const cookies = cookiesOf(request);
		const former = SESSION_COOKIE_PARTS.map((suffix) => cookies.get(`${SESSION_COOKIE}${suffix}`) ?? '').join('');
		if (this.#name === SESSION_COOKIE || former === '') return;
		const isOurs = await this.#tokens.verifyAccount(former, { evenIfRevoked: true }).then(
			() => true,
			() => false,
		);
		if (!isOurs) return;
		for (const suffix of SESSION_COOKIE_PARTS) this.#clear(request, response, `${SESSION_COOKIE}${suffix}`);
	}

	/** Clears a cookie that the browser sent, below the path of PUBLIC_URL and below `/`. */
	#clear(request: Request, response: Response, name: string, { always = false } = {}): void {
		if (!always && !cookiesOf(request).has(name)) return;
		const options = this.#options(request);
		response.clearCookie(name, options);
		if (options.path !== '/') response.clearCookie(name, { ...options, path: '/' });
	}

	#options(request: Request) {
		const [path, secure] = [this.#site.pathOf(request), this.#site.isSecure(request)];
		return { httpOnly: true, sameSite: 'lax', path, secure } as const;
	}
}

const nameFor = (state: string) => SSO_COOKIE + state.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 8);

function cookiesOf(request: Request): Map<string, string> {
	const parts = (request.headers.cookie ?? '').split(';');
	return new Map(parts.map((part) => part.trim().split('=', 2) as [string, string]));
}
