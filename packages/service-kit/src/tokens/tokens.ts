/** Signs and verifies the tokens of accounts and devices. */
import { randomUUID } from 'node:crypto';
import {
	type AccountClaims,
	accountClaims,
	CrowdVisionError,
	type DeviceClaims,
	deviceClaims,
	type Membership,
	type Validator,
} from '@crowdvision/contracts';
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { SharedSecret, type TokenKey, type TokenSigner, type VerificationKeys } from './keys.ts';
import { TokenRevocations } from './revocations.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const ISSUER = 'crowdvision';
export const ACCOUNT_SECONDS = 3 * 3600;
export const DEVICE_SECONDS = 5 * 365 * 24 * 3600;
/**
 * How long a token of an account may be valid that was signed elsewhere with the same secret. Revocations are kept as
 * long, so that no token outlives its own.
 */
export const MAX_ACCOUNT_SECONDS = 24 * 3600;
const DAY_SECONDS = 24 * 3600;
/** How far `iat` may be in the future, as clocks of two machines differ. */
const SKEW_SECONDS = 60;
/**
 * A clock before this was never set (a Pi without a battery boots in the past), so it cannot tell what is in the
 * future.
 */
const CLOCK_IS_SET_FROM = Date.UTC(2025, 0, 1) / 1000;

interface Claims {
	sub: string;
	exp: number;
	iat: number;
	jti: string;
}

/** One of the two kinds of tokens. The audience distinguishes them, so that one never passes for the other. */
class TokenKind<T extends Claims> {
	readonly audience: string;
	/** Validity of those that are made here, and the longest of those that are accepted. */
	readonly seconds: number;
	readonly maxSeconds: number;
	readonly claims: Validator<T>;
	readonly verified = new VerifiedTokens<T>();
	/** The key that each of the claims was verified with. */
	readonly keyOf = new WeakMap<T, TokenKey>();

	constructor(audience: string, seconds: number, maxSeconds: number, claims: Validator<T>) {
		this.audience = audience;
		this.seconds = Math.min(seconds, maxSeconds);
		this.maxSeconds = maxSeconds;
		this.claims = claims;
	}
}

/** The clock that tokens are signed and verified by. */
export interface TokenClock {
	/** Epoch ms. */
	now(): number;
	/** Whether the time can be relied on. */
	known(): boolean;
	/**
	 * Epoch ms: by when tokens of another machine have expired, where that machine may go by an earlier time. Default:
	 * `now`.
	 */
	expired?(): number;
}

/** Signs and verifies tokens (JWT, RFC 7519) within this process. */
export class Tokens {
	readonly keys: VerificationKeys;
	/** Default: the system's clock. A process that signs and verifies does both by this one. */
	clock: TokenClock = { now: () => Date.now(), known: () => Date.now() / 1000 >= CLOCK_IS_SET_FROM };
	readonly revocations = new TokenRevocations();
	/** Name of this installation's session cookie; undefined in a process without auth, which tries all it is sent. */
	sessionCookie: string | undefined;
	readonly #accounts = new TokenKind<AccountClaims>('account', ACCOUNT_SECONDS, MAX_ACCOUNT_SECONDS, accountClaims);
	readonly #devices: TokenKind<DeviceClaims>;
	#signer: TokenSigner | undefined;

	/**
	 * @param keys a shared secret, or the keys of another signer
	 * @param maxDeviceDays longest validity of a device's token, DEVICE_TOKEN_MAX_DAYS
	 */
	constructor(keys: string | VerificationKeys, maxDeviceDays = 3653) {
		this.#devices = new TokenKind('device', DEVICE_SECONDS, maxDeviceDays * DAY_SECONDS, deviceClaims);
		this.keys = typeof keys === 'string' ? new SharedSecret(keys) : keys;
		if (this.keys instanceof SharedSecret) this.#signer = this.keys;
	}

	/** Signs with the keys of `signer` from now on; for the one process that has private keys. */
	signWith(signer: TokenSigner): void {
		this.#signer = signer;
	}

	/**
	 * Epoch seconds: the time that is written into tokens, and that revocations are compared with. Not before 2025: a
	 * device's token of 1970 would have expired once the time is known.
	 */
	nowSeconds(): number {
		return Math.max(Math.floor(this.clock.now() / 1000), CLOCK_IS_SET_FROM);
	}

	/**
	 * A token for an account, valid for three hours. Its `iat` is later than `issuedAfter` (epoch seconds), even if the
	 * clock is not there yet. Its `jti` is `session`, so that all tokens by which a session was renewed end together;
	 * default: a new one.
	 */
	async signAccount(
		account: { id: string; name: string; memberships: readonly Membership[]; session?: string },
		issuedAfter?: number,
	): Promise<string> {
		const payload = { name: account.name, memberships: account.memberships };
		return this.#sign(payload, account.id, 'account', this.#accounts, issuedAfter, account.session);
	}

	/**
	 * A token for a device, valid for five years, or as long as DEVICE_TOKEN_MAX_DAYS allows. `issuedAfter` as for
	 * accounts.
	 */
	async signDevice(
		device: {
			id: string;
			domainName: string;
			sensorIds?: readonly string[];
			buildingId?: string;
			generation?: string | undefined;
		},
		issuedAfter?: number,
	): Promise<string> {
		const { id, ...scope } = device;
		return this.#sign(scope, `device:${id}`, 'device', this.#devices, issuedAfter);
	}

	/** `evenIfRevoked`: for a caller that checks revocations itself. @throws CrowdVisionError `unauthenticated` */
	async verifyAccount(token: string, { evenIfRevoked = false } = {}): Promise<AccountClaims> {
		const claims = this.#known(token, this.#accounts) ?? (await this.#verify(token, this.#accounts));
		if (!evenIfRevoked && this.revocations.isRevoked(claims))
			throw new CrowdVisionError('unauthenticated', 'The session has ended: sign in again');
		return claims;
	}

	/** Does not check revocation: only the gateway knows it for devices. @throws CrowdVisionError `unauthenticated` */
	async verifyDevice(token: string): Promise<DeviceClaims> {
		return this.#known(token, this.#devices) ?? this.#verify(token, this.#devices);
	}

	/** Whether claims that `verifyDevice` resolved with would be valid now: key and time can change. */
	isDeviceStillValid(claims: DeviceClaims): boolean {
		const key = this.#devices.keyOf.get(claims);
		return key !== undefined && this.#isValid(claims, key);
	}

	async #sign(
		payload: Record<string, unknown>,
		subject: string,
		use: 'account' | 'device',
		{ audience, seconds }: { audience: string; seconds: number },
		issuedAfter = 0,
		jti: string = randomUUID(),
	): Promise<string> {
		if (!this.#signer)
			throw new CrowdVisionError(
				'unavailable',
				'Tokens are signed by key pair here, and only auth has the private keys',
			);
		const { alg, kid, key } = await this.#signer.keyFor(use);
		const issuedAt = Math.max(this.nowSeconds(), issuedAfter + 1);
		return new SignJWT(payload)
			.setProtectedHeader({ alg, typ: 'JWT', ...(kid !== undefined && { kid }) })
			.setSubject(subject)
			.setIssuer(ISSUER)
			.setAudience(audience)
			.setIssuedAt(issuedAt)
			.setJti(jti)
			.setExpirationTime(issuedAt + seconds)
			.sign(key);
	}

	#expired(): number {
		return this.clock.expired?.() ?? this.clock.now();
	}

	/** The claims of a token that was verified before and is still valid. */
	#known<T extends Claims>(token: string, kind: TokenKind<T>): T | undefined {
		const known = kind.verified.get(token);
		if (!known) return undefined;
		if (this.#isValid(known.claims, known.key)) return known.claims;
		kind.verified.delete(token);
		return undefined;
	}

	#isValid({ exp }: Claims, key: TokenKey): boolean {
		return exp * 1000 > this.#expired() && this.keys.holds(key);
	}

	async #verify<T extends Claims>(token: string, kind: TokenKind<T>): Promise<T> {
		// Base64 decoders skip white space.
		if (/\s/.test(token)) throw new CrowdVisionError('unauthenticated', 'The token is not valid here');
		const { payload, key } = await this.#verifySignature(token, kind.audience);
		if (!kind.claims.check(payload))
			throw new CrowdVisionError('unauthenticated', `The token is not a token of the kind ${kind.audience}`);
		if (payload.exp - payload.iat > kind.maxSeconds)
			throw new CrowdVisionError(
				'unauthenticated',
				`The token is valid for too long: at most ${kind.maxSeconds / DAY_SECONDS} days are allowed here`,
			);
		if (this.clock.known() && payload.iat > this.clock.now() / 1000 + SKEW_SECONDS)
			throw new CrowdVisionError('unauthenticated', 'The token is not valid yet');
		kind.verified.add(token, frozen(payload), key);
		kind.keyOf.set(payload, key);
		return payload;
	}

	/**
	 * Uses only the keys held here: `jwk`, `jku`, `x5u` and `x5c` in the header are ignored, and jose refuses an unknown
	 * `crit`.
	 */
	async #verifySignature(token: string, audience: string): Promise<{ payload: unknown; key: TokenKey }> {
		let failure: unknown;
		try {
			for (const key of await this.keys.candidates(decodeProtectedHeader(token))) {
				try {
					const { payload } = await jwtVerify(token, key.key, {
						algorithms: [key.alg],
						issuer: ISSUER,
						audience,
						currentDate: new Date(this.#expired()),
					});
					return { payload, key };
				} catch (error) {
					failure = error;
					if (codeOf(error) !== 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') break;
				}
			}
		} catch (error) {
			if (error instanceof CrowdVisionError) throw error;
			failure = error;
		}
		throw new CrowdVisionError(
			'unauthenticated',
			codeOf(failure) === 'ERR_JWT_EXPIRED' ? 'The token has expired' : 'The token is not valid here',
		);
	}
}

const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code;

/** Freezes claims, since several requests share them. */
function frozen<T extends object>(claims: T): T {
	for (const value of Object.values(claims))
		if (Array.isArray(value)) for (const item of Object.freeze(value)) Object.freeze(item);
	return Object.freeze(claims);
}
