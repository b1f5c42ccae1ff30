import type { SessionResponse } from '@crowdvision/contracts';
import { ACCOUNT_SECONDS, type Request, type Response, SESSION_COOKIES } from '@crowdvision/service-kit';

/** Characters of the token per cookie; browsers accept 4096 bytes with name and attributes. */
const VALUE_CHARACTERS = 3800;
const SSO_COOKIE = 'crowdvision_sso_';

/**
 * Sends a token to the caller: in the body for programs, and in cookies that scripts cannot read and that other sites
 * cannot make a browser send.
 */
export function startSession(request: Request, response: Response, token: string): SessionResponse {
	for (const [index, name] of SESSION_COOKIES.entries()) {
		const part = token.slice(index * VALUE_CHARACTERS, (index + 1) * VALUE_CHARACTERS);
		if (part) response.cookie(name, part, { ...cookieOptions(request), maxAge: ACCOUNT_SECONDS * 1000 });
		else if (request.headers.cookie?.includes(`${name}=`)) response.clearCookie(name, cookieOptions(request));
	}
	return { token, expiresIn: ACCOUNT_SECONDS };
}

/** Clears the session cookies in the caller's browser. */
export function endSession(request: Request, response: Response): void {
	for (const [index, name] of SESSION_COOKIES.entries()) {
		if (index === 0 || request.headers.cookie?.includes(`${name}=`)) response.clearCookie(name, cookieOptions(request));
	}
}

/**
 * Binds a sign-in through a provider to this browser for `maxAge` ms. Each sign-in has its own cookie, so two tabs do
 * not end each other's.
 */
export function bindToBrowser(
	request: Request,
	response: Response,
	{ state, browser, maxAge }: { state: string; browser: string; maxAge: number },
): void {
	response.cookie(nameFor(state), browser, { ...cookieOptions(request), maxAge });
}

/** Reads and clears the cookie that `bindToBrowser` set; undefined when this browser does not have it. */
export function browserOf(request: Request, response: Response, state: string): string | undefined {
	const name = nameFor(state);
	response.clearCookie(name, cookieOptions(request));
	for (const part of (request.headers.cookie ?? '').split(';')) {
		const [key, value] = part.trim().split('=', 2);
		if (key === name) return value;
	}
	return undefined;
}

const nameFor = (state: string) => SSO_COOKIE + state.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 8);

function cookieOptions(request: Request) {
	return { httpOnly: true, sameSite: 'lax', path: '/', secure: request.secure } as const;
}
