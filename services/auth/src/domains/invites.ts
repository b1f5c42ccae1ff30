import { timingSafeEqual } from 'node:crypto';
import { CrowdVisionError, DOMAIN_ROLES, type DomainRole, type InviteView } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import { Secret, TOTP } from 'otpauth';
import type { Seal } from '../secrets/sealed.ts';
import type { InvitesDocument } from '../store.ts';

const PERIOD_SECONDS = 30;
const DIGITS = 6;
/** Time steps before and after the current one whose codes also pass: clocks differ, and people type slowly. */
const WINDOW = 1;
/**
 * Wrong codes until an invite is locked; only rotating it unlocks it. Three of a million codes are valid at a time, so
 * all guesses together succeed with a probability of 250 x 3 / 1,000,000 = 0.075 %
 * (docs/decisions/0007-invites-and-providers.md).
 */
const MAX_FAILURES = 250;

/**
 * Invites: six-digit codes with which people join a domain in a role. They are TOTP codes (RFC 6238), so a code read
 * off a screen is worthless a minute later.
 */
export class Invites {
	readonly #store: Store;
	readonly #invites: Collection<InvitesDocument>;
	readonly #seal: Seal;
	/** The last redemption under way in this process, by domain. */
	readonly #redeeming = new Map<string, Promise<unknown>>();

	constructor(store: Store, seal: Seal) {
		this.#store = store;
		this.#invites = store.collection('invites');
		this.#seal = seal;
	}

	/** The invite of each role; they are created on the first call. */
	async of(domainName: string): Promise<InviteView[]> {
		const { value } = await this.#ensure(domainName);
		return DOMAIN_ROLES.map((role) => this.#viewOf(domainName, role, value));
	}

	/** Replaces the secret of a role, which voids its codes and unlocks it. */
	rotate(domainName: string, role: DomainRole): Promise<InviteView> {
		return retryOnConflict(async () => {
			const stored = await this.#ensure(domainName);
			const value = { roles: { ...stored.value.roles, [role]: this.#newInvite(domainName, role) } };
			await this.#store.commit([this.#invites.replace(stored, value)]);
			return this.#viewOf(domainName, role, value);
		});
	}

	/**
	 * The role that a code gives: the highest where it matches several by chance, undefined where it matches none. A
	 * wrong code counts as a failure of every invite of the domain.
	 * @param now epoch ms
	 */
	async redeem(domainName: string, code: string, now: number): Promise<DomainRole | undefined> {
		// One redemption of a domain at a time: parallel ones would conflict, and some would run out of retries.
		const before = this.#redeeming.get(domainName) ?? Promise.resolve();
		const redemption = before.then(() => this.#redeem(domainName, code, now));
		const ended = redemption.catch(() => {});
		this.#redeeming.set(domainName, ended);
		try {
			return await redemption;
		} finally {
			if (this.#redeeming.get(domainName) === ended) this.#redeeming.delete(domainName);
		}
	}

	#redeem(domainName: string, code: string, now: number): Promise<DomainRole | undefined> {
		return retryOnConflict(async () => {
			const stored = await this.#invites.get(domainName);
			if (!stored) return undefined;
			const { roles } = stored.value;
			const given = Buffer.from(code);
			const open = DOMAIN_ROLES.filter((role) => roles[role].failures < MAX_FAILURES);
			// Every code is compared, also after a match, so that the time reveals nothing.
			const matching = open.filter(
				(role) =>
					this.#codes(domainName, role, stored.value, now).filter((valid) => timingSafeEqual(valid, given)).length > 0,
			);
			if (matching.length > 0) return matching[0];
			// The failure is stored before the caller learns of it. The commit is refused when another replica has counted
			// one in the meantime; then the code is checked again.
			const counted = open.map((role) => [role, { ...roles[role], failures: roles[role].failures + 1 }] as const);
			if (counted.length > 0)
				await this.#store.commit([
					this.#invites.replace(stored, { roles: { ...roles, ...Object.fromEntries(counted) } }),
				]);
			return undefined;
		});
	}

	async #ensure(domainName: string): Promise<Versioned<InvitesDocument>> {
		return retryOnConflict(async () => {
			const stored = await this.#invites.get(domainName);
			if (stored) return stored;
			const roles = Object.fromEntries(
				DOMAIN_ROLES.map((role) => [role, this.#newInvite(domainName, role)]),
			) as InvitesDocument['roles'];
			await this.#store.commit([this.#invites.insert(domainName, { roles })]);
			return (await this.#invites.get(domainName))!;
		});
	}

	#newInvite(domainName: string, role: DomainRole) {
		const secret = new Secret({ size: 20 }).base32;
		return { secret: this.#seal.seal(`invite ${domainName} ${role}`, secret), failures: 0, madeAt: Date.now() };
	}

	#totp(domainName: string, role: DomainRole, { roles }: InvitesDocument): TOTP {
		const secret = Secret.fromBase32(this.#seal.open(`invite ${domainName} ${role}`, roles[role].secret));
		return new TOTP({
			issuer: 'CrowdVision',
			label: `${domainName} (${role})`,
			secret,
			algorithm: 'SHA1',
			digits: DIGITS,
			period: PERIOD_SECONDS,
		});
	}

	#codes(domainName: string, role: DomainRole, invites: InvitesDocument, now: number): Buffer[] {
		const totp = this.#totp(domainName, role, invites);
		const codes: Buffer[] = [];
		for (let step = -WINDOW; step <= WINDOW; step++)
			codes.push(Buffer.from(totp.generate({ timestamp: now + step * PERIOD_SECONDS * 1000 })));
		return codes;
	}

	#viewOf(domainName: string, role: DomainRole, invites: InvitesDocument): InviteView {
		const totp = this.#totp(domainName, role, invites);
		const locked = invites.roles[role].failures >= MAX_FAILURES;
		return {
			role,
			secret: totp.secret.base32,
			otpauthUrl: totp.toString(),
			period: PERIOD_SECONDS,
			digits: DIGITS,
			locked,
		};
	}
}

/** Reads a role from a path. @throws CrowdVisionError `not_found` for a role that has no invite */
export function inviteRole(text: string): DomainRole {
	const role = DOMAIN_ROLES.find((name) => name === text);
	if (!role)
		throw new CrowdVisionError(
			'not_found',
			`There is no invite for the role "${text.slice(0, 40)}"; roles are ${DOMAIN_ROLES.join(', ')}`,
		);
	return role;
}
