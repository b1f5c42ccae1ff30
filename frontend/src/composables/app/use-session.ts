import { type Membership, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import { computed, onScopeDispose, shallowRef } from 'vue';
import * as api from '../../api/endpoints.ts';
import { ApiError, whenSessionExpires } from '../../api/http.ts';

export type SessionState =
	| { is: 'starting' }
	| { is: 'unreachable'; error: unknown }
	/** No account exists yet. */
	| { is: 'first-run' }
	/** `expired`: the service ended the session. */
	| { is: 'signed-out'; expired: boolean }
	| { is: 'signed-in'; account: api.Account };

const START_RETRY_MS = 3000;
const RENEW_RETRY_MS = 60_000;
/** A session is renewed after this share of its lifetime, so that a wall screen stays signed in. */
const RENEW_AFTER = 0.6;

/** The session of this browser. The token itself stays in an httpOnly cookie, out of reach of scripts. */
export function useSession() {
	const state = shallowRef<SessionState>({ is: 'starting' });
	let timer: ReturnType<typeof setTimeout> | undefined;
	let disposed = false;

	const schedule = (ms: number, run: () => void) => {
		clearTimeout(timer);
		if (!disposed) timer = setTimeout(run, ms);
	};

	const setSignedOut = (expired: boolean) => {
		clearTimeout(timer);
		state.value = { is: 'signed-out', expired };
	};

	/** Renews the cookie, loads the account and schedules the next renewal. */
	async function enter(): Promise<void> {
		const { expiresIn } = await api.refreshSession();
		state.value = { is: 'signed-in', account: await api.getAccount() };
		schedule(expiresIn * 1000 * RENEW_AFTER, renew);
	}

	async function renew(): Promise<void> {
		try {
			await enter();
		} catch {
			// A 401 has signed out already; any other failure is temporary.
			if (state.value.is === 'signed-in') schedule(RENEW_RETRY_MS, renew);
		}
	}

	/** Finds out whether this browser is signed in. Tries again while the server cannot be reached. */
	async function start(): Promise<void> {
		clearTimeout(timer);
		try {
			if ((await api.getFirstRun()).empty) {
				state.value = { is: 'first-run' };
				return;
			}
			await enter();
		} catch (error) {
			if (error instanceof ApiError && error.code === 'unauthenticated') return setSignedOut(false);
			state.value = { is: 'unreachable', error };
			schedule(START_RETRY_MS, start);
		}
	}

	async function signIn(credentials: api.Credentials): Promise<void> {
		await api.login(credentials);
		await enter();
	}

	async function createFirstAccount(account: api.Credentials & { name: string }): Promise<void> {
		await api.register(account);
		await signIn(account);
	}

	async function createDomain(name: string): Promise<void> {
		await api.createDomain(name);
		await enter();
	}

	async function signOut(): Promise<void> {
		await api.logout().catch((error: unknown) => {
			if (!(error instanceof ApiError && error.code === 'unauthenticated')) throw error;
		});
		setSignedOut(false);
	}

	const unregister = whenSessionExpires(() => {
		if (state.value.is === 'signed-in') setSignedOut(true);
	});
	onScopeDispose(() => {
		disposed = true;
		clearTimeout(timer);
		unregister();
	});
	void start();

	return {
		state: computed(() => state.value),
		start,
		signIn,
		createFirstAccount,
		createDomain,
		signOut,
		/** Checks whether the session is still valid; signs out if it is not. */
		renew,
	};
}
export type Session = ReturnType<typeof useSession>;

/** Whether the memberships give at least `role` in one of `domains`. */
export function mayAct(memberships: readonly Membership[], domains: readonly string[], role: Role): boolean {
	return weightIn(memberships, domains) >= ROLES[role];
}
