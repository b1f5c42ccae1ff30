import type { SessionResponse } from '@crowdvision/contracts';
import { ACCOUNT_SECONDS, type Request, type Response, SESSION_COOKIES } from '@crowdvision/service-kit';

/** What of a cookie's 4096 bytes is left for its value. */
const MOST_IN_ONE = 3800;
const SSO_COOKIE = 'crowdvision_sso_';

/**
 * Hands a token to the caller: in the body for programs, and in a cookie that scripts cannot read and other sites
 * cannot make a browser send.
 */
export function startSession(request: Request, response: Response, token: string): SessionResponse {
	for (const [index, name] of SESSION_COOKIES.entries()) {
		const part = token.slice(index * MOST_IN_ONE, (index + 1) * MOST_IN_ONE);
		if (part) response.cookie(name, part, { ...cookieOptions(request), maxAge: ACCOUNT_SECONDS * 1000 });
		else if (request.headers.cookie?.includes(`${name}=`)) response.clearCookie(name, cookieOptions(request));
	}
	return { token, expiresIn: ACCOUNT_SECONDS };
}

export function endSession(request: Request, response: Response): void {
	for (const [index, name] of SESSION_COOKIES.entries()) {
		if (index === 0 || request.headers.cookie?.includes(`${name}=`)) response.clearCookie(name, cookieOptions(request));
	}
}

/**
 * Binds a sign-in by a provider to this browser; each has a cookie of its own, so that two tabs do not end each
 * other's.
 */
export function bindToBrowser(
	request: Request,
	response: Response,
	{ state, browser, maxAge }: { state: string; browser: string; maxAge: number },
): void {
	response.cookie(nameFor(state), browser, { ...cookieOptions(request), maxAge });
}

/** What `bindToBrowser` gave this browser; it is taken back. */
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
