import {
	accountRemoval,
	CrowdVisionError,
	forgottenPassword,
	passwordReset,
	ROLES,
	weightIn,
} from '@crowdvision/contracts';
import {
	callerOf,
	type Logger,
	type Mailer,
	parseBody,
	type Request,
	type RetainedTable,
	type Router,
	type Site,
} from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import { requireSession, type TokenParts } from '../accounts/session-guards.ts';
import type { Throttles } from '../accounts/throttle.ts';
import { authBody } from '../auth-body.ts';
import { type DomainGuardParts, domainOf, requireInDomain } from '../domains/domain-guards.ts';
import type { AccountRemovals } from './account-removals.ts';
import { HANDED_RESET_MS, MAIL_RESET_MS, type PasswordResets } from './password-resets.ts';
import { recoveryMail } from './recovery-mail.ts';

export interface RecoveryRouteParts extends TokenParts, DomainGuardParts {
	memberships: DomainGuardParts['memberships'];
	accounts: Accounts;
	resets: PasswordResets;
	removals: AccountRemovals;
	/** Undefined without SMTP_URL. */
	mailer: Pick<Mailer, 'send'> | undefined;
	site: Site;
	throttles: Pick<Throttles, 'login' | 'recovery' | 'recoveryAddress'>;
	revokedSessions: RetainedTable;
	removedAccounts: RetainedTable;
	logger: Logger;
}

/** `/recovery`, `/password/…`, `/domains/{name}/members/{accountId}/password-reset`, and the end of `/me`. */
export function addRecoveryRoutes(router: Router, parts: RecoveryRouteParts): void {
	const { accounts, mailer, removals, resets, removedAccounts, revokedSessions, site, throttles } = parts;
	const linkTo = (url: string, token: string) => `${url}/#reset=${token}`;

	router.get('/recovery', (_request, response) => {
		response.json({ mail: mailer !== undefined });
	});

	router.post('/password/forgotten', authBody, async (request, response) => {
		const { email } = parseBody(forgottenPassword, request.body);
		if (!mailer)
			throw new CrowdVisionError(
				'unavailable',
				'This installation sends no e-mails (SMTP_URL): ask an administrator of your domain, or on the machine: ' +
					'npm run account -- reset <e-mail>',
			);
		const now = Date.now();
		throttles.recoveryAddress.begin(String(request.ip), now);
		throttles.recovery.begin(email.trim().toLowerCase(), now);
		response.status(202).end();
		// After the answer, whose time then says nothing about accounts.
		await sendLink(request, email).catch((error: unknown) =>
			parts.logger.warn({ err: error }, 'a link for a new password was not sent'),
		);
	});

	async function sendLink(request: Request, email: string): Promise<void> {
		const account = await accounts.find(email);
		if (!account?.email) return;
		const { token } = await resets.create(account.id, MAIL_RESET_MS);
		const language = request.headers['accept-language'];
		await mailer!.send(recoveryMail(account.email, linkTo(site.certainUrlOf(request), token), language));
	}

	router.post('/password/reset', authBody, async (request, response) => {
		const { token, newPassword } = parseBody(passwordReset, request.body);
		throttles.recoveryAddress.begin(String(request.ip), Date.now());
		const accountId = await resets.redeem(token, newPassword);
		throttles.recoveryAddress.takeBack(String(request.ip));
		await revokedSessions.changed(accountId);
		response.status(204).end();
	});

	router.post(
		'/domains/:name/members/:accountId/password-reset',
		requireInDomain(parts, 'business_admin'),
		async (request, response) => {
			const accountId = String(request.params.accountId);
			if (!(await parts.memberships.member(accountId, domainOf(request))))
				throw new CrowdVisionError('not_found', 'There is no such member');
			await requireAllDomains(callerOf(request).sub, accountId);
			const { token, expiresAt } = await resets.create(accountId, HANDED_RESET_MS);
			response
				.status(201)
				.set('Cache-Control', 'no-store')
				.json({ url: linkTo(site.urlOf(request), token), expiresAt });
		},
	);

	/** Whoever sets a password has all that the account has, so the caller must administer each of its domains. */
	async function requireAllDomains(callerId: string, accountId: string): Promise<void> {
		const [own, theirs] = await Promise.all([parts.memberships.of(callerId), parts.memberships.of(accountId)]);
		const below = theirs.every(({ domainName, role }) => {
			const weight = weightIn(own, [domainName]);
			return weight >= ROLES.business_admin && weight >= ROLES[role];
		});
		if (!below)
			throw new CrowdVisionError(
				'forbidden',
				'This account is also in domains that you do not administer: its owner resets the password by e-mail, or ' +
					'whoever runs the machine does (npm run account -- reset)',
			);
	}

	router.delete('/me', requireSession(parts), authBody, async (request, response) => {
		const { password } = parseBody(accountRemoval, request.body ?? {});
		const account = await accounts.get(callerOf(request).sub);
		const key = `${account.email} ${request.ip}`;
		throttles.login.begin(key, Date.now());
		await accounts.confirm(account.id, password);
		throttles.login.succeeded(key);
		await removals.remove(account.id);
		await revokedSessions.changed(account.id);
		await removedAccounts.changed(account.id);
		await parts.cookies.end(request, response);
		response.status(204).end();
	});
}
