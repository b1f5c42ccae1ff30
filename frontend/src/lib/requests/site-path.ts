/**
 * The path of the page with a slash at its end: `/`, or where a proxy serves the installation below a path of its own,
 * as `/crowd/`.
 */
export const basePath = (page: string): string => new URL('.', page).pathname;

const BASE = typeof document === 'undefined' ? '/' : basePath(document.baseURI);

/** Where a path of the installation, such as `/auth/me`, is on this host. Every request and link goes through here. */
export function sitePath(path: `/${string}`, base = BASE): string {
	return `${base.slice(0, -1)}${path}`;
}
