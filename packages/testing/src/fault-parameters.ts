/**
 * How often and how long the fault tests do what they do. `npm test` uses the defaults that stand beside each test; the
 * full run by hand sets the variables: `npm run test:faults -- --kills 500 --cut 60 --states 100000`.
 */

/**
 * A count or a number of seconds from the environment variable `name`, or `fallback` where it is not set.
 * @throws when the variable is no whole number from 1 to 999999.
 */
export function faultParameter(name: string, fallback: number): number {
	const text = process.env[name];
	if (text === undefined) return fallback;
	if (!/^[1-9]\d{0,5}$/.test(text))
		throw new Error(`${name} is "${text}", but must be a whole number from 1 to 999999`);
	return Number(text);
}

/**
 * Kills of a test that takes longer per kill than others: `share` of FAULT_KILLS, rounded up, at least `fallback`;
 * `fallback` where the variable is not set.
 */
export function killsOf(share: number, fallback: number): number {
	const asked = faultParameter('FAULT_KILLS', 0);
	return Math.max(fallback, Math.ceil(asked * share));
}

/** States of the disk after a power cut that a test tries: FAULT_STATES, or the test's own number. */
export const statesOf = (own: number) => faultParameter('FAULT_STATES', own);

/** The seed of a test's random choices: FAULT_SEED, or the test's own. */
export const seedOf = (own: number) => faultParameter('FAULT_SEED', own);
