/** Choices of this browser's user, in localStorage. Where storage is forbidden nothing is stored, and nothing fails. */

const PREFIX = 'crowdvision.';

/** The stored choice `name`; undefined if none is stored, or if it is not one of `allowed`. */
export function readChoice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
	try {
		const value = localStorage.getItem(PREFIX + name);
		return allowed.find((candidate) => candidate === value);
	} catch {
		return undefined;
	}
}

export function storeChoice(name: string, value: string): void {
	try {
		localStorage.setItem(PREFIX + name, value);
	} catch {
		// Forbidden or full: the choice lasts until the page is closed.
	}
}
