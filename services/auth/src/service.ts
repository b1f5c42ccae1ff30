/** Composes the service auth: accounts, domains, devices and their tokens. */
import type { Bus } from '@crowdvision/bus';
import { type AccountView, TABLES } from '@crowdvision/contracts';
import {
	BuildingDirectory,
	BusLinks,
	type ControlAnswers,
	ControlSocket,
	Lifecycle,
	type Logger,
	Mailer,
	type MailSettings,
	PublicKeys,
	type RetainedSource,
	RetainedTable,
	readSettings,
	SESSION_COOKIE,
	type Service,
	type ServiceContext,
	SharedSecret,
	storedSecret,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Store, Stores } from '@crowdvision/store';
import { Accounts, type NewAccount } from './accounts/accounts.ts';
import { KnownAccounts, tellingOfAccounts } from './accounts/known-accounts.ts';
import { OpenSessions } from './accounts/open-sessions.ts';
import { SessionCookies } from './accounts/session-cookies.ts';
import { Sessions } from './accounts/sessions.ts';
import { createThrottles } from './accounts/throttle.ts';
import { Contacts } from './contact/contacts.ts';
import { Devices, type NewDevice } from './devices/devices.ts';
import { Domains } from './domains/domains.ts';
import { Invitations } from './domains/invitations.ts';
import { Invites } from './domains/invites.ts';
import { Memberships } from './domains/memberships.ts';
import { MissingKeys } from './keys/missing-keys.ts';
import { SecretHistory } from './keys/secret-history.ts';
import { SigningKeys } from './keys/signing-keys.ts';
import { startMaintenance } from './maintenance.ts';
import { accountAnswers, accountSocketPath } from './recovery/account-answers.ts';
import { AccountRemovals } from './recovery/account-removals.ts';
import { PasswordResets } from './recovery/password-resets.ts';
import { authRoutes } from './routes.ts';
import { Seal } from './secrets/sealed.ts';
import { AUTH_SETTINGS, type AuthSettings } from './settings.ts';
import { Identities } from './sso/identities.ts';
import { Sso } from './sso/sso.ts';
import { AUTH_STORE } from './store.ts';

export interface AuthContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

/** Any of AUTH_SETTINGS; the defaults are declared there. */
export type AuthOptions = Partial<AuthSettings>;

/** The service, with the operations that the embedded composition uses to set up the demo. */
export interface Auth extends Service {
	/** As `Accounts.ensure`. */
	ensureAccount(account: NewAccount & { overwritePassword?: boolean }): Promise<AccountView & { created: boolean }>;
	/** Creates the domain unless it exists, and makes the account a business_admin of it. */
	ensureDomain(name: string, ownerAccountId: string): Promise<void>;
	/** Issues a token for a new device; with the `deviceId` of a known one, another token with this scope. */
	issueDevice(device: NewDevice & { deviceId?: string }): Promise<{ deviceId: string; token: string }>;
}

const DAY_MS = 24 * 3600_000;

/**
 * Accounts, domains, devices and their tokens. A token carries everything that the other services need to know of its
 * account, so none of them asks auth.
 *
 *   register, login ─▶ accounts ────┐
 *   provider ─▶ sso ─▶ identities ──┼─▶ memberships ─▶ token ─▶ body and cookie
 *   join ─▶ invites ────────────────┘        │
 *                                            └─ taken away, or signed out ─▶ bus: registry:revoked-sessions ─▶ services
 *   domain's admin ─▶ devices ─▶ device token, shown once
 *                        └─ revoked ─▶ bus: registry:revoked-devices ─▶ gateways
 *   accounts, memberships ─▶ bus: registry:accounts ─▶ notification
 *   signing keys (JWT_SIGNING=keypair) ─▶ bus: registry:signing-keys ─▶ services
 */
export function createAuth(context: AuthContext, options: AuthOptions = {}): Promise<Auth> {
	const lifecycle = new Lifecycle(context.logger);
	const settings = { ...readSettings(AUTH_SETTINGS, {}), ...options };
	return lifecycle.stopOnFailure(() => openAuth(context, settings, lifecycle));
}

async function openAuth(
	{ bus, stores, tokens, site, logger, dataDir }: AuthContext,
	{ AUTH_KEY, ADMINS, SSO_REACH, JWT_KEY_DAYS, ...mail }: AuthSettings,
	lifecycle: Lifecycle,
): Promise<Auth> {
	const told: { accounts?: RetainedTable } = {};
	// Not waited for: the commit is done, and a bus that is away gets it later.
	const store = tellingOfAccounts(
		lifecycle.own('store', await stores.open('auth', AUTH_STORE)),
		(ids) => void told.accounts?.changed(...ids),
	);
	const seal = new Seal(AUTH_KEY ?? storedSecret(dataDir, 'auth-key'));
	tokens.sessionCookie = `${SESSION_COOKIE}-${seal.nameFor('session cookie')}`;
	const sessions = new Sessions(store, () => tokens.nowSeconds());
	const openSessions = new OpenSessions(store, sessions);
	const accounts = new Accounts(store, sessions);
	const memberships = new Memberships(store, sessions, ADMINS);
	const domains = new Domains(store, memberships);
	const devices = new Devices(store, tokens);
	const contacts = new Contacts(store, seal, () => tokens.nowSeconds());
	await contacts.takeOver();
	const resets = new PasswordResets(store, accounts);
	const removals = new AccountRemovals(store, sessions);
	const mailer = openMailer(mail, logger, lifecycle);
	const sso = new Sso({ store, identities: new Identities(store, memberships), seal, reach: SSO_REACH, logger });
	const missingKeys = new MissingKeys(store, seal, logger);
	await missingKeys.check();
	const secrets = await openSecretHistory(tokens, store, logger);
	const signingKeys = await openSigningKeys(tokens, store, seal, JWT_KEY_DAYS * DAY_MS);

	const announce = (table: (typeof TABLES)[keyof typeof TABLES], source: RetainedSource) =>
		openTable(new RetainedTable(bus, table, source, logger), table, lifecycle);
	const [publicKeys, revokedSessions, revokedDevices, removedAccounts] = await Promise.all([
		signingKeys && announce(TABLES.signingKeys, signingKeys),
		announce(TABLES.revokedSessions, sessions),
		announce(TABLES.revokedDevices, devices),
		announce(TABLES.removedAccounts, removals),
	]);
	told.accounts = await announce(TABLES.accounts, new KnownAccounts(store, memberships));
	const directory = new BuildingDirectory(logger);
	const links = lifecycle.own('links to the bus', new BusLinks(logger));
	await links.open(() => directory.follow(bus));
	const signing = signingKeys && publicKeys && { keys: signingKeys, table: publicKeys };
	const onEnded = async (accountId: string) => {
		await revokedSessions.changed(accountId);
		await removedAccounts.changed(accountId);
	};
	await openControl(dataDir, accountAnswers({ accounts, removals, onEnded }), lifecycle, logger);
	const now = () => tokens.nowSeconds() * 1000;
	const parts = {
		accounts,
		contacts,
		sessions,
		openSessions,
		memberships,
		domains,
		invites: new Invites(store, seal),
		invitations: new Invitations(store, memberships),
		devices,
		sso,
		signingKeys,
		cookies: new SessionCookies({ site, tokens }),
		throttles: createThrottles(),
		tokens,
		directory,
		revokedDevices,
		revokedSessions,
		removedAccounts,
		publicKeys,
		resets,
		removals,
		mailer,
		logger,
		site,
	};
	const maintenance = startMaintenance({ ...parts, missingKeys, secrets, signing, now });
	lifecycle.onStop('maintenance', () => maintenance.stop());
	return {
		name: 'auth',
		router: authRoutes(parts),
		trouble: async () =>
			(await store.trouble()) ?? missingKeys.trouble() ?? secrets?.trouble() ?? links.trouble() ?? bus.trouble(),
		stop: () => lifecycle.stop(),
		ensureAccount: (account) => accounts.ensure(account),
		ensureDomain: (name, ownerAccountId) => domains.ensure(name, ownerAccountId),
		issueDevice: ({ deviceId, ...device }) => devices.issue(device, deviceId),
	};
}

/** The keys that sign tokens from now on, where JWT_SIGNING is `keypair`; undefined otherwise. */
async function openSigningKeys(
	tokens: Tokens,
	store: Store,
	seal: Seal,
	maxAgeMs: number,
): Promise<SigningKeys | undefined> {
	if (!(tokens.keys instanceof PublicKeys)) return undefined;
	const keys = new SigningKeys(store, seal, maxAgeMs, () => tokens.nowSeconds() * 1000);
	await keys.start();
	tokens.signWith(keys);
	return keys;
}

/** Undefined where tokens are signed by key pair. */
async function openSecretHistory(tokens: Tokens, store: Store, logger: Logger): Promise<SecretHistory | undefined> {
	if (!(tokens.keys instanceof SharedSecret)) return undefined;
	const secrets = new SecretHistory(store, tokens.keys, logger);
	await secrets.start(tokens.nowSeconds());
	return secrets;
}

/** Undefined without SMTP_URL. */
function openMailer(settings: MailSettings, logger: Logger, lifecycle: Lifecycle): Mailer | undefined {
	const mailer = Mailer.of(settings, logger);
	return mailer && lifecycle.own('mail', mailer);
}

/** Without the socket only the command `npm run account` is missing, so auth starts all the same. */
async function openControl(
	dataDir: string,
	answers: ControlAnswers,
	lifecycle: Lifecycle,
	logger: Logger,
): Promise<void> {
	const control = new ControlSocket(accountSocketPath(dataDir), answers);
	try {
		await control.open();
		lifecycle.own('control socket', control);
	} catch (error) {
		logger.warn({ err: error }, 'npm run account will not reach this process: its socket cannot be opened');
	}
}

async function openTable(table: RetainedTable, name: string, lifecycle: Lifecycle): Promise<RetainedTable> {
	await table.start();
	return lifecycle.own(`table ${name}`, table, (opened) => opened.stop());
}
