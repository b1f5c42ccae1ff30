import { generateKeyPairSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { type Membership, weightIn } from '@crowdvision/contracts';
import { bearerToken, PublicKeys, Tokens } from '@crowdvision/service-kit';

/**
 * The cost of authorizing a request by its JWT: extracting the token, verifying it, and weighing its memberships in a
 * building's domain. Times in ms.
 */
export interface Decision {
	signing: 'secret' | 'keypair';
	/** `first`: a new token, whose signature is verified. `again`: a token that was verified before, the usual case. */
	seen: 'first' | 'again';
	memberships: number;
	p50: number;
	p95: number;
}

const FIRST = 3000;
const AGAIN = 60_000;
const TOKENS = 200;
/** This many decisions are timed together, because the clock is too coarse for a single one. */
const TOGETHER = 20;

const membershipsOf = (count: number): Membership[] =>
	Array.from({ length: count }, (_, n) => ({ domainName: `organization-${n}/site`, role: 'standard_customer' }));

function tokensOf(signing: Decision['signing']): Tokens {
	if (signing === 'secret') return new Tokens('a secret for measuring only, of more than 32 characters');
	const { privateKey, publicKey } = generateKeyPairSync('ed25519');
	const { x } = publicKey.export({ format: 'jwk' }) as { x: string };
	const keys = new PublicKeys();
	keys.set({ kty: 'OKP', crv: 'Ed25519', x, kid: 'bench', alg: 'EdDSA', use: 'sig' });
	const tokens = new Tokens(keys);
	tokens.signWith({ keyFor: async () => ({ alg: 'EdDSA', kid: 'bench', key: privateKey }) });
	return tokens;
}

/** A request whose header is a new string, as one just read from a socket: its hash is not cached yet. */
const requestWith = (token: string) => ({
	headers: { authorization: Buffer.from(`Bearer ${token}`, 'latin1').toString('latin1') },
});

async function measure(
	signing: Decision['signing'],
	seen: Decision['seen'],
	counts: readonly number[],
): Promise<Decision[]> {
	const tokens = tokensOf(signing);
	const makeAll = (count: number, memberships: Membership[]) =>
		Promise.all(
			Array.from({ length: count }, (_, n) =>
				tokens.signAccount({ id: `account-${n}`, name: 'Ada Lovelace', memberships }),
			),
		);
	const sets = await Promise.all(
		counts.map(async (count) => {
			const memberships = membershipsOf(count);
			return {
				count,
				domain: `organization-${count - 1}/site/east`,
				all: await makeAll(seen === 'first' ? FIRST : TOKENS, memberships),
				times: [] as number[],
			};
		}),
	);
	const together = seen === 'first' ? 1 : TOGETHER;
	const rounds = seen === 'first' ? FIRST : AGAIN / TOGETHER;
	// Alternating, because the machine's speed drifts.
	for (let round = 0; round < rounds; round++) {
		for (const { all, domain, times } of sets) {
			const requests = Array.from({ length: together }, (_, n) =>
				requestWith(all[(round * together + n) % all.length]!),
			);
			const began = performance.now();
			for (const request of requests) {
				const { memberships } = await tokens.verifyAccount(bearerToken(request)!);
				if (weightIn(memberships, [domain]) === 0) throw new Error('the decision is wrong');
			}
			times.push((performance.now() - began) / together);
		}
	}
	return sets.map(({ count, times }) => {
		// The first fifth is left out: it includes compilation.
		const sorted = times.slice(Math.floor(times.length / 5)).sort((a, b) => a - b);
		const at = (share: number) => sorted[Math.floor(sorted.length * share)]!;
		return { signing, seen, memberships: count, p50: at(0.5), p95: at(0.95) };
	});
}

export async function measureTokens(): Promise<Decision[]> {
	const decisions: Decision[] = [];
	for (const signing of ['secret', 'keypair'] as const) {
		for (const seen of ['first', 'again'] as const) decisions.push(...(await measure(signing, seen, [1, 50])));
	}
	return decisions;
}

/** A table with the figures for both bounds: p95 <= 1 ms, and 50 memberships within 20 % of one membership. */
export function tokensTable(decisions: readonly Decision[]): string {
	const lines = decisions.map((one, index) => {
		const alone = decisions[index - 1];
		const ratio = one.memberships > 1 && alone ? `${(one.p95 / alone.p95).toFixed(2)} x` : '';
		const micro = (ms: number) => `${(ms * 1000).toFixed(1)} us`.padStart(10);
		const memberships = String(one.memberships).padStart(11);
		const what = `${one.signing.padEnd(8)} ${one.seen.padEnd(6)} ${memberships}`;
		return `${what} ${micro(one.p50)} ${micro(one.p95)}  ${ratio}`;
	});
	return ['The JWT decision, in process', 'signing  seen   memberships        p50        p95  to one', ...lines].join(
		'\n',
	);
}
