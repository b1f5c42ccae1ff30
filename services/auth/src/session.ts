import type { LoginResponse } from '@crowdvision/contracts';
import { ACCOUNT_SECONDS, type Request, type Response, SESSION_COOKIE } from '@crowdvision/service-kit';

/** Hands a token to the caller: in the body for programs, and in a cookie that scripts cannot read and other sites cannot make a browser send. */
export function startSession(request: Request, response: Response, token: string): LoginResponse {
	response.cookie(SESSION_COOKIE, token, { ...cookieOptions(request), maxAge: ACCOUNT_SECONDS * 1000 });
	return { token, expiresIn: ACCOUNT_SECONDS };
}

export function endSession(request: Request, response: Response): void {
	response.clearCookie(SESSION_COOKIE, cookieOptions(request));
}

function cookieOptions(request: Request) {
	return { httpOnly: true, sameSite: 'lax', path: '/', secure: request.secure || request.get('x-forwarded-proto') === 'https' } as const;
}
