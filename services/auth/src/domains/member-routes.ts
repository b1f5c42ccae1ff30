/** The HTTP routes of a domain's members and invitations. */
import { CrowdVisionError, type DomainRole, joinRequest, type MemberView, memberChange } from '@crowdvision/contracts';
import {
	callerOf,
	nextCursorOf,
	pageOf,
	pageOfItems,
	parseBody,
	type Request,
	type RetainedTable,
	type Router,
} from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import { requireSession } from '../accounts/session-guards.ts';
import type { Throttles } from '../accounts/throttle.ts';
import { authBody } from '../auth-body.ts';
import type { AccountDocument, MembershipDocument } from '../store.ts';
import { type DomainGuardParts, domainOf, requireInDomain, weightOf } from './domain-guards.ts';
import type { Domains } from './domains.ts';
import { type Invitations, requireNotAbove } from './invitations.ts';
import { type Invites, inviteRole } from './invites.ts';

export interface MemberRouteParts extends DomainGuardParts {
	accounts: Accounts;
	domains: Domains;
	invites: Invites;
	invitations: Invitations;
	throttles: Pick<Throttles, 'join' | 'joinAddress'>;
	revokedSessions: RetainedTable;
}

/** Ids of accounts are random UUIDs. */
const ACCOUNT_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** `/domains/{name}/invites`, `/domains/{name}/join` and `/domains/{name}/members`. */
export function addMemberRoutes(router: Router, parts: MemberRouteParts): void {
	const { accounts, domains, invites, invitations, memberships, throttles, revokedSessions } = parts;
	const signedIn = requireSession(parts);
	const administers = requireInDomain(parts, 'business_admin');
	const accountOf = (request: Request) => String(request.params.accountId);
	const viewOf = async (accountId: string, domainName: string): Promise<MemberView> => {
		const membership = await memberships.member(accountId, domainName);
		if (!membership) throw new CrowdVisionError('not_found', 'There is no such member');
		return memberView(membership, (await accounts.getAll([accountId])).get(accountId));
	};

	router.get('/domains/:name/invites', administers, async (request, response) => {
		response.set('Cache-Control', 'no-store').json({ invites: await invites.of(domainOf(request)) });
	});

	router.post('/domains/:name/invites/:role/rotate', administers, async (request, response) => {
		response
			.set('Cache-Control', 'no-store')
			.json(await invites.rotate(domainOf(request), inviteRole(String(request.params.role))));
	});

	router.post('/domains/:name/join', signedIn, authBody, async (request, response) => {
		const { code: typed } = parseBody(joinRequest, request.body ?? {});
		const code = typed?.replace(/\D/g, '');
		const account = await accounts.get(callerOf(request).sub);
		const name = domainOf(request);
		const domain = await domains.find(name);
		let role: DomainRole | undefined = domain?.public && code === undefined ? 'standard_customer' : undefined;
		if (code !== undefined) {
			throttles.join.begin(account.id, Date.now());
			throttles.joinAddress.begin(String(request.ip), Date.now());
			role = domain ? await invites.redeem(name, code, Date.now()) : undefined;
			if (role) {
				throttles.join.succeeded(account.id);
				throttles.joinAddress.takeBack(String(request.ip));
			}
		}
		// The same answer for a domain that does not exist: without a code, nobody learns that a private domain exists.
		if (!domain || !role) throw new CrowdVisionError('not_found', 'There is no such domain, or the code is wrong');
		response.json({ name, role: await memberships.join(account.id, name, role), public: domain.public });
	});

	router.get('/domains/:name/members', administers, async (request, response) => {
		const page = pageOf(request, ['string', 'string']);
		const found = await memberships.members(domainOf(request));
		const known = await accounts.getAll(found.map(({ accountId }) => accountId));
		const members = found.map((membership) => memberView(membership, known.get(membership.accountId)));
		const order = (a: readonly [string, string], b: readonly [string, string]) =>
			a[0].localeCompare(b[0]) || (a[1] < b[1] ? -1 : Number(a[1] > b[1]));
		const cursor = ({ name, accountId }: MemberView) => [name, accountId] as const;
		const { items, next } = pageOfItems(
			members.sort((a, b) => order(cursor(a), cursor(b))),
			page,
			cursor,
			(member, after) => order(cursor(member), after) > 0,
		);
		response.json({ members: items, ...nextCursorOf(next) });
	});

	router.get('/domains/:name/members/:accountId', administers, async (request, response) => {
		response.json(await viewOf(accountOf(request), domainOf(request)));
	});

	router.put('/domains/:name/members/:accountId', administers, authBody, async (request, response) => {
		const { role } = parseBody(memberChange, request.body);
		const accountId = accountOf(request);
		const name = domainOf(request);
		// The answer for an account that is no member is the same as for one that does not exist.
		if (!(await memberships.member(accountId, name))) {
			if (!ACCOUNT_ID.test(accountId)) throw new CrowdVisionError('not_found', 'There is no such account');
			const isKnown = (await accounts.getAll([accountId])).has(accountId);
			if (isKnown) await invitations.invite(accountId, name, role, weightOf(request));
			else requireNotAbove(role, weightOf(request));
			return void response.status(202).json({ invited: true });
		}
		await memberships.change(accountId, name, role, weightOf(request));
		await revokedSessions.changed(accountId);
		response.json(await viewOf(accountId, domainOf(request)));
	});

	// Every member may leave; only a business_admin may remove somebody else.
	router.delete('/domains/:name/members/:accountId', signedIn, async (request, response) => {
		const accountId = accountOf(request);
		const { sub } = callerOf(request);
		const weight = await memberships.require(
			sub,
			domainOf(request),
			accountId === sub ? 'standard_customer' : 'business_admin',
		);
		// The answer says nothing of an invitation, and so nothing of an account that is no member.
		if (accountId !== sub) await invitations.withdraw(accountId, domainOf(request));
		await memberships.change(accountId, domainOf(request), undefined, weight);
		await revokedSessions.changed(accountId);
		response.status(204).end();
	});
}

function memberView({ accountId, role, since }: MembershipDocument, account: AccountDocument | undefined): MemberView {
	const email = account?.email ?? account?.contact;
	return {
		accountId,
		name: account?.name ?? '',
		...(email !== undefined && { email }),
		...(account?.provider !== undefined && { provider: account.provider }),
		role,
		since,
	};
}
