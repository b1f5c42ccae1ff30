import { keepRunning, type Logger, pause, type RetainedTable } from '@crowdvision/service-kit';
import type { OpenSessions } from './accounts/open-sessions.ts';
import type { Sessions } from './accounts/sessions.ts';
import type { MissingKeys } from './keys/missing-keys.ts';
import type { SecretHistory } from './keys/secret-history.ts';
import type { SigningKeys } from './keys/signing-keys.ts';
import type { AccountRemovals } from './recovery/account-removals.ts';
import type { PasswordResets } from './recovery/password-resets.ts';
import type { Sso } from './sso/sso.ts';

const EVERY_MS = 30_000;

export interface MaintenanceParts {
	sessions: Sessions;
	openSessions: OpenSessions;
	/** Epoch ms, by the clock that tokens are signed by. */
	now: () => number;
	revokedSessions: RetainedTable;
	removals: AccountRemovals;
	removedAccounts: RetainedTable;
	sso: Sso;
	resets: PasswordResets;
	missingKeys: MissingKeys;
	/** Undefined where tokens are signed by key pair. */
	secrets: SecretHistory | undefined;
	/** Undefined where tokens are signed with the shared secret. */
	signing: { keys: SigningKeys; table: RetainedTable } | undefined;
	logger: Logger;
}

/** Every 30 s: removes expired revocations and abandoned sign-ins, and replaces signing keys by age. */
export function startMaintenance(parts: MaintenanceParts): { stop(): Promise<void> } {
	const {
		sessions,
		openSessions,
		now,
		revokedSessions,
		removals,
		removedAccounts,
		sso,
		resets,
		missingKeys,
		secrets,
		signing,
		logger,
	} = parts;
	const stopped = new AbortController();
	const { signal } = stopped;
	const step = async () => {
		await pause(EVERY_MS, signal);
		if (signal.aborted) return;
		await revokedSessions.changed(...(await sessions.removeExpired()));
		await openSessions.removeExpired(now());
		await removedAccounts.changed(...(await removals.maintain()));
		await sso.removeExpired();
		await resets.removeExpired();
		if (missingKeys.trouble() !== undefined) await missingKeys.check();
		if (secrets?.trouble() !== undefined) await secrets.check();
		if (signing) await signing.table.changed(...(await signing.keys.maintain()));
	};
	const running = keepRunning(step, { what: 'removing expired sessions, sign-ins and keys', signal, logger });
	return {
		stop: () => {
			stopped.abort();
			return running;
		},
	};
}
