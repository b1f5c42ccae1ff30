import { type Membership, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import { computed, onScopeDispose, shallowRef } from 'vue';
import * as api from '../../api/endpoints.ts';
import { ApiError, whenUnauthenticated } from '../../api/http.ts';

export type SessionState =
	| { is: 'starting' }
	| { is: 'unreachable'; error: unknown }
	| { is: 'first-run' }
	| { is: 'signed-out'; expired: boolean }
	| { is: 'signed-in'; account: api.Account };

const RETRY_MS = 3000;
/** A session is renewed after this share of its life, so that a wall screen stays signed in. */
const RENEW_AFTER = 0.6;

/** Who is signed in. The token itself stays in the httpOnly cookie, out of reach of any script. */
export function useSession() {
	const state = shallowRef<SessionState>({ is: 'starting' });
	let timer: ReturnType<typeof setTimeout> | undefined;
	let disposed = false;

	const later = (ms: number, run: () => void) => {
		clearTimeout(timer);
		if (!disposed) timer = setTimeout(run, ms);
	};

	const signedOut = (expired: boolean) => {
		clearTimeout(timer);
		state.value = { is: 'signed-out', expired };
	};

	/** Takes the account and a fresh cookie, and sees to the next renewal. */
	async function enter(): Promise<void> {
		const { expiresIn } = await api.refreshSession();
		state.value = { is: 'signed-in', account: await api.getAccount() };
		later(expiresIn * 1000 * RENEW_AFTER, renew);
	}

	async function renew(): Promise<void> {
		try {
			await enter();
		} catch {
			// 401 has signed out already; anything else passes.
			if (state.value.is === 'signed-in') later(60_000, renew);
		}
	}

	/** Finds out where this browser stands. Comes back by itself while the server cannot be reached. */
	async function start(): Promise<void> {
		clearTimeout(timer);
		try {
			if ((await api.getFirstRun()).empty) {
				state.value = { is: 'first-run' };
				return;
			}
			await enter();
		} catch (error) {
			if (error instanceof ApiError && error.code === 'unauthenticated') return signedOut(false);
			state.value = { is: 'unreachable', error };
			later(RETRY_MS, start);
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
		signedOut(false);
	}

	const stopWatching = whenUnauthenticated(() => {
		if (state.value.is === 'signed-in') signedOut(true);
	});
	onScopeDispose(() => {
		disposed = true;
		clearTimeout(timer);
		stopWatching();
	});
	void start();

	return {
		state: computed(() => state.value),
		start,
		signIn,
		createFirstAccount,
		createDomain,
		signOut,
		/** Asks whether the session still stands; signs out if it does not. */
		renew,
	};
}
export type Session = ReturnType<typeof useSession>;

/** Whether these memberships give at least `role` in one of `domains`. */
export function mayAct(memberships: readonly Membership[], domains: readonly string[], role: Role): boolean {
	return weightIn(memberships, domains) >= ROLES[role];
}
