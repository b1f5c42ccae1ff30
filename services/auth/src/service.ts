import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { TABLES } from '@crowdvision/contracts';
import { RetainedTable, type Service, type ServiceContext } from '@crowdvision/service-kit';
import type { Sqlite, Stores } from '@crowdvision/store';
import { type Account, Accounts, type NewAccount } from './accounts.ts';
import { Devices, type NewDevice } from './devices.ts';
import { Domains } from './domains.ts';
import { authRoutes } from './routes.ts';
import { MIGRATIONS } from './schema.ts';
import { LoginThrottle } from './throttle.ts';

export interface AuthContext extends ServiceContext {
	bus: Bus;
	store: Sqlite;
	stores: Stores;
}

/** The service, and what the embedded composition needs of it to set up the demo. */
export interface Auth extends Service {
	/** Makes the account if its e-mail address has none. The password of one that exists is changed only with `overwritePassword`. */
	ensureAccount(account: NewAccount & { overwritePassword?: boolean }): Promise<Account & { created: boolean }>;
	/** Makes sure that the domain exists and that the account is a business_admin of it. */
	ensureDomain(name: string, ownerAccountId: string): Promise<void>;
	/** A token for a device; for one known by `deviceId`, another token with this scope. */
	issueDevice(device: NewDevice & { deviceId?: string }): Promise<{ deviceId: string; token: string }>;
}

/**
 * Who people and devices are. Tokens carry what the others need to know, so nobody asks here.
 *
 *   register ─▶ accounts ─┐
 *   login ─▶ throttle ─▶ accounts ─▶ token with memberships ─▶ body and cookie
 *   domains, devices ─▶ memberships ─▶ device token, shown once
 *                            └─ revoked ─▶ bus: registry:revoked-devices ─▶ gateways
 */
export async function createAuth({ bus, store, tokens, logger, dataDir }: AuthContext): Promise<Auth> {
	const database = await store.open(join(dataDir, 'auth.sqlite'), MIGRATIONS);
	const accounts = new Accounts(database);
	const domains = new Domains(database);
	const devices = new Devices(database, tokens);
	const revocations = new RetainedTable(bus, TABLES.revokedDevices, devices, logger);
	await revocations.start();

	return {
		name: 'auth',
		router: authRoutes({ accounts, domains, devices, throttle: new LoginThrottle(), tokens, revocations }),
		trouble: () => bus.trouble(),
		stop: async () => {
			await revocations.stop();
			await database.close();
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
