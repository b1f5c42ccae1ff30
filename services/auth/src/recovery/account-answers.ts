import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { ControlAnswers } from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import type { AccountRemovals } from './account-removals.ts';

/** Where the control socket of auth is. */
export const accountSocketPath = (dataDir: string) => join(dataDir, 'auth', 'account.sock');

export interface AccountAnswerParts {
	accounts: Accounts;
	removals: AccountRemovals;
	/** Called with the id of an account whose sessions have ended. */
	onEnded: (accountId: string) => Promise<void>;
}

export interface PasswordSet {
	email: string;
	password: string;
}

/** What the command `npm run account` can ask of auth, by the account's e-mail address. */
export function accountAnswers({ accounts, removals, onEnded }: AccountAnswerParts): ControlAnswers {
	const accountOf = async (query: URLSearchParams) => {
		const email = query.get('email') ?? '';
		const account = await accounts.find(email);
		if (account) return account;
		throw new CrowdVisionError('not_found', `There is no account with the e-mail address ${JSON.stringify(email)}`);
	};
	return {
		'/reset': async (query) => {
			const account = await accountOf(query);
			const password = randomBytes(12).toString('base64url');
			await accounts.setPassword(account.id, password);
			await onEnded(account.id);
			return { email: account.email ?? '', password } satisfies PasswordSet;
		},
		'/delete': async (query) => {
			const account = await accountOf(query);
			await removals.remove(account.id);
			await onEnded(account.id);
			return { email: account.email ?? '' };
		},
	};
}
