/**
 * A choice kept in this browser, if it is one of `allowed`. Where storage is forbidden nothing is kept, and nothing
 * fails.
 */
export function kept<T extends string>(name: string, allowed: readonly T[]): T | undefined {
	try {
		const value = localStorage.getItem(`crowdvision.${name}`);
		return allowed.find((candidate) => candidate === value);
	} catch {
		return undefined;
	}
}

export function keep(name: string, value: string): void {
	try {
		localStorage.setItem(`crowdvision.${name}`, value);
	} catch {
		// Forbidden or full: the choice lasts as long as the page.
	}
}
