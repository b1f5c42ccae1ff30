import type { Bus } from '@crowdvision/bus';
import { type AccountView, TABLES } from '@crowdvision/contracts';
import {
	BuildingDirectory,
	BusLinks,
	keptSecret,
	PublicKeys,
	pause,
	RetainedTable,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import type { Stores } from '@crowdvision/store';
import { Accounts, type NewAccount } from './accounts/accounts.ts';
import { Sessions } from './accounts/sessions.ts';
import { createThrottles } from './accounts/throttle.ts';
import { Devices, type NewDevice } from './devices/devices.ts';
import { Domains } from './domains/domains.ts';
import { Invites } from './domains/invites.ts';
import { Memberships } from './domains/memberships.ts';
import { SigningKeys } from './keys/signing-keys.ts';
import { authRoutes } from './routes.ts';
import { Seal } from './secrets/sealed.ts';
import type { SsoReach } from './settings.ts';
import { Identities } from './sso/identities.ts';
import { Sso } from './sso/sso.ts';
import { AUTH_STORE } from './store.ts';

export interface AuthContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

/** As AUTH_SETTINGS declares them. */
export interface AuthOptions {
	AUTH_KEY?: string | undefined;
	ADMINS?: readonly string[] | undefined;
	PUBLIC_URL?: string | undefined;
	SSO_REACH?: SsoReach;
	JWT_KEY_DAYS?: number;
}

/** The service, and what the embedded composition needs of it to set up the demo. */
export interface Auth extends Service {
	/**
	 * Makes the account if its e-mail address has none. The password of one that exists is changed only with
	 * `overwritePassword`.
	 */
	ensureAccount(account: NewAccount & { overwritePassword?: boolean }): Promise<AccountView & { created: boolean }>;
	/** Makes sure that the domain exists and that the account is a business_admin of it. */
	ensureDomain(name: string, ownerAccountId: string): Promise<void>;
	/** A token for a device; for one known by `deviceId`, another token with this scope. */
	issueDevice(device: NewDevice & { deviceId?: string }): Promise<{ deviceId: string; token: string }>;
}

const TEND_EVERY_MS = 30_000;
const DAY_MS = 24 * 3600_000;

/**
 * Who people and devices are. Tokens carry what the others need to know, so nobody asks here.
 *
 *   register, login ─▶ accounts ────┐
 *   provider ─▶ sso ─▶ identities ──┼─▶ memberships ─▶ token ─▶ body and cookie
 *   join ─▶ invites ────────────────┘        │
 *                                            └─ taken away, or signed out ─▶ bus: registry:revoked-sessions ─▶ everybody
 *   domain's admin ─▶ devices ─▶ device token, shown once
 *                        └─ revoked ─▶ bus: registry:revoked-devices ─▶ gateways
 *   signing keys (JWT_SIGNING=keypair) ─▶ bus: registry:signing-keys ─▶ everybody
 */
export async function createAuth(
	{ bus, stores, tokens, logger, dataDir }: AuthContext,
	options: AuthOptions = {},
): Promise<Auth> {
	const { AUTH_KEY, ADMINS = [], PUBLIC_URL, SSO_REACH = 'public', JWT_KEY_DAYS = 90 } = options;
	const store = await stores.open('auth', AUTH_STORE);
	const seal = new Seal(AUTH_KEY ?? keptSecret(dataDir, 'auth-key'));
	const sessions = new Sessions(store);
	const accounts = new Accounts(store, sessions);
	const memberships = new Memberships(store, sessions, ADMINS);
	const domains = new Domains(store, memberships);
	const devices = new Devices(store, tokens);
	const sso = new Sso({ store, identities: new Identities(store, memberships), seal, reach: SSO_REACH, logger });
	const signingKeys =
		tokens.keys instanceof PublicKeys ? new SigningKeys(store, seal, JWT_KEY_DAYS * DAY_MS) : undefined;
	if (signingKeys) {
		await signingKeys.start();
		tokens.signWith(signingKeys);
	}

	const revokedDevices = new RetainedTable(bus, TABLES.revokedDevices, devices, logger);
	const revokedSessions = new RetainedTable(bus, TABLES.revokedSessions, sessions, logger);
	const publicKeys = signingKeys && new RetainedTable(bus, TABLES.signingKeys, signingKeys, logger);
	const tables = [publicKeys, revokedSessions, revokedDevices].filter((table) => table !== undefined);
	await Promise.all(tables.map((table) => table.start()));
	const directory = new BuildingDirectory(logger);
	const links = new BusLinks(logger);
	await links.open(() => directory.follow(bus));

	const stopped = new AbortController();
	const tend = async () => {
		for (;;) {
			await pause(TEND_EVERY_MS, stopped.signal);
			if (stopped.signal.aborted) return;
			try {
				await revokedSessions.changed(...(await sessions.forget()));
				await sso.forget();
				if (signingKeys) await publicKeys?.changed(...(await signingKeys.tend()));
			} catch (error) {
				logger.warn({ err: error }, 'what is over could not be removed: trying on');
			}
		}
	};
	const tending = tend();

	const router = authRoutes({
		accounts,
		sessions,
		memberships,
		domains,
		invites: new Invites(store, seal),
		devices,
		sso,
		signingKeys,
		throttles: createThrottles(),
		tokens,
		directory,
		revokedDevices,
		revokedSessions,
		publicKeys,
		publicUrl: PUBLIC_URL,
	});

	return {
		name: 'auth',
		router,
		trouble: async () => (await store.trouble()) ?? links.trouble() ?? bus.trouble(),
		stop: async () => {
			stopped.abort();
			await tending;
			await links.close();
			for (const table of tables) await table.stop();
			await store.close();
		},
		ensureAccount: async ({ overwritePassword, ...account }) => {
			const existing = await accounts.find(account.email);
			if (!existing) return { ...(await accounts.create(account)), created: true };
			if (overwritePassword) await accounts.setPassword(existing.id, account.password);
			return { ...existing, created: false };
		},
		ensureDomain: (name, ownerAccountId) => domains.ensure(name, ownerAccountId),
		issueDevice: ({ deviceId, ...device }) => devices.issue(device, deviceId),
	};
}
