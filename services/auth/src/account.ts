/** The command `npm run account`: for whoever runs the machine, when nobody can sign in any more. */
import {
	askControlSocket,
	COMMON_SETTINGS,
	createLogger,
	readSettings,
	runMain,
	SettingsError,
} from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { Accounts } from './accounts/accounts.ts';
import { Sessions } from './accounts/sessions.ts';
import { accountAnswers, accountSocketPath, type PasswordSet } from './recovery/account-answers.ts';
import { AccountRemovals } from './recovery/account-removals.ts';
import { AUTH_STORE } from './store.ts';

const USAGE = `usage: npm run account -- COMMAND

reset E-MAIL    give the account a new password, print it, and end its sessions
delete E-MAIL   delete the account

Works while CrowdVision runs, and while it is stopped. Uses DATA_DIR, and MONGO_URL where accounts are in MongoDB.`;

await runMain(async () => {
	const [command, email, ...rest] = process.argv.slice(2);
	if (command === undefined || command === 'help' || command === '--help')
		return void process.stdout.write(`${USAGE}\n`);
	if ((command !== 'reset' && command !== 'delete') || !email || rest.length > 0) throw new SettingsError(USAGE);
	const settings = readSettings(COMMON_SETTINGS, process.env);
	const query = new URLSearchParams({ email });
	const answer =
		(await askControlSocket(accountSocketPath(settings.DATA_DIR), `/${command}?${query}`)) ??
		(await answerAlone(settings, command, query));
	process.stdout.write(
		command === 'reset'
			? `The password of ${(answer as PasswordSet).email} is now: ${(answer as PasswordSet).password}\n`
			: `The account ${email} is deleted.\n`,
	);
});

/** Does what auth would do, in its store, while it is stopped. */
async function answerAlone(
	{ DATA_DIR, MONGO_URL }: { DATA_DIR: string; MONGO_URL?: string | undefined },
	command: string,
	query: URLSearchParams,
): Promise<unknown> {
	const stores = await openStores({ dataDir: DATA_DIR, mongoUrl: MONGO_URL, logger: createLogger('account', 'warn') });
	try {
		const store = await stores.open('auth', AUTH_STORE);
		try {
			const sessions = new Sessions(store, () => Math.floor(Date.now() / 1000));
			const accounts = new Accounts(store, sessions);
			const removals = new AccountRemovals(store, sessions);
			// The next start of auth tells the others.
			return await accountAnswers({ accounts, removals, onEnded: async () => {} })[`/${command}`]!(query);
		} finally {
			await store.close();
		}
	} finally {
		await stores.close();
	}
}
