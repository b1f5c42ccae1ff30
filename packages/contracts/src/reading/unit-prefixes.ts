/** Powers of ten of the SI prefixes that sensors use. `u` is how a keyboard without µ spells micro. */
const PREFIXES: Readonly<Record<string, number>> = { n: -9, u: -6, µ: -6, m: -3, c: -2, '': 0, k: 3, M: 6 };
const BASES = new Set(['V', 'A', 'W', 'VA', 'var', 'Wh', 'm', 'g', 'Hz', 'J', 'l', 'L', 's', 'Pa', 'Bq', 'ohm', 'Ω']);

/** Prefix and base of a unit; undefined for one that takes no prefix. */
function split(unit: string): { power: number; base: string } | undefined {
	for (const [prefix, power] of Object.entries(PREFIXES)) {
		const base = unit.slice(prefix.length);
		if (unit.startsWith(prefix) && BASES.has(base)) return { power, base };
	}
	return undefined;
}

/**
 * How values in the same unit with other prefixes are converted to `unit`: mV to V. Empty for a unit without prefixes.
 */
export function convertersFrom(unit: string): Record<string, (value: number) => number> {
	const target = split(unit);
	if (!target) return {};
	const others = Object.entries(PREFIXES).filter(([prefix]) => prefix + target.base !== unit);
	return Object.fromEntries(
		others.map(([prefix, power]) => {
			const exponent = power - target.power;
			// A division by a power of ten is exact where a multiplication by its inverse is not.
			const convert = (value: number) => (exponent < 0 ? value / 10 ** -exponent : value * 10 ** exponent);
			return [prefix + target.base, convert];
		}),
	);
}
