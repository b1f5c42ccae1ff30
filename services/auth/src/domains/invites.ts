import { timingSafeEqual } from 'node:crypto';
import { CrowdVisionError, DOMAIN_ROLES, type DomainRole, type InviteView } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import { Secret, TOTP } from 'otpauth';
import type { Seal } from '../secrets/sealed.ts';
import type { InvitesDocument } from '../store.ts';

const PERIOD_SECONDS = 30;
const DIGITS = 6;
/** Steps before and after the present one whose codes are taken too: clocks differ, and people type slowly. */
const WINDOW = 1;
/**
 * Wrong codes an invite stands, ever; then it is locked until it is rotated. Of a million codes a role takes three at a
 * time, so all the guesses there are get in with 250 x 3 / 1,000,000 = 0.075 %
 * (docs/decisions/0007-invites-and-providers.md).
 */
const MOST_FAILURES = 250;

/**
 * Codes of six digits by which people join a domain in a role: TOTP (RFC 6238), so that what was read off a screen is
 * worth nothing a minute later.
 */
export class Invites {
	readonly #store: Store;
	readonly #invites: Collection<InvitesDocument>;
	readonly #seal: Seal;
	readonly #queue = new Map<string, Promise<unknown>>();

	constructor(store: Store, seal: Seal) {
		this.#store = store;
		this.#invites = store.collection('invites');
		this.#seal = seal;
	}

	/** One per role, made at the first look. */
	async of(domainName: string): Promise<InviteView[]> {
		const { value } = await this.#ensure(domainName);
		return DOMAIN_ROLES.map((role) => this.#viewOf(domainName, role, value));
	}

	/** Voids the codes of a role; new ones come of a new secret. */
	rotate(domainName: string, role: DomainRole): Promise<InviteView> {
		return retryOnConflict(async () => {
			const kept = await this.#ensure(domainName);
			const value = { roles: { ...kept.value.roles, [role]: this.#make(domainName, role) } };
			await this.#store.commit([this.#invites.replace(kept, value)]);
			return this.#viewOf(domainName, role, value);
		});
	}

	/**
	 * The role that this code opens, the highest if by chance several; undefined for none. A wrong one counts against
	 * every invite of the domain.
	 */
	async redeem(domainName: string, code: string, now: number): Promise<DomainRole | undefined> {
		// One at a time here: a hall full of people who join at once need not be refused for each other's sake.
		const turn = (this.#queue.get(domainName) ?? Promise.resolve()).then(() => this.#redeem(domainName, code, now));
		const settled = turn.catch(() => {});
		this.#queue.set(domainName, settled);
		try {
			return await turn;
		} finally {
			if (this.#queue.get(domainName) === settled) this.#queue.delete(domainName);
		}
	}

	#redeem(domainName: string, code: string, now: number): Promise<DomainRole | undefined> {
		return retryOnConflict(async () => {
			const kept = await this.#invites.get(domainName);
			if (!kept) return undefined;
			const { roles } = kept.value;
			const given = Buffer.from(code);
			const open = DOMAIN_ROLES.filter((role) => roles[role].failures < MOST_FAILURES);
			// All of them are compared, whichever fits: the time tells nothing.
			const fitting = open.filter(
				(role) =>
					this.#codes(domainName, role, kept.value, now).filter((one) => timingSafeEqual(one, given)).length > 0,
			);
			if (fitting.length > 0) return fitting[0];
			// The count is durable before the answer is known, and refused where another replica counted meanwhile: it is
			// looked at again then.
			const counted = open.map((role) => [role, { ...roles[role], failures: roles[role].failures + 1 }] as const);
			if (counted.length > 0)
				await this.#store.commit([
					this.#invites.replace(kept, { roles: { ...roles, ...Object.fromEntries(counted) } }),
				]);
			return undefined;
		});
	}

	async #ensure(domainName: string): Promise<Kept<InvitesDocument>> {
		return retryOnConflict(async () => {
			const kept = await this.#invites.get(domainName);
			if (kept) return kept;
			const roles = Object.fromEntries(
				DOMAIN_ROLES.map((role) => [role, this.#make(domainName, role)]),
			) as InvitesDocument['roles'];
			await this.#store.commit([this.#invites.insert(domainName, { roles })]);
			return (await this.#invites.get(domainName))!;
		});
	}

	#make(domainName: string, role: DomainRole) {
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
		const locked = invites.roles[role].failures >= MOST_FAILURES;
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

/** @throws CrowdVisionError `not_found` for what is no role with an invite. */
export function inviteRole(text: string): DomainRole {
	const role = DOMAIN_ROLES.find((one) => one === text);
	if (!role)
		throw new CrowdVisionError(
			'not_found',
			`There is no invite for ${text.slice(0, 40)}: there are ${DOMAIN_ROLES.join(', ')}`,
		);
	return role;
}
