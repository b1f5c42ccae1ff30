/** Composes what calls people: who is told of a change, and the channels by which. */
import type { Bus } from '@crowdvision/bus';
import type { Alert, MetricLookup } from '@crowdvision/contracts';
import {
	AccountDirectory,
	type BuildingDirectory,
	type Logger,
	Mailer,
	OutboundAllow,
	OutboundClient,
	type Router,
	type Site,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';
import { ActLinks } from './acts/act-links.ts';
import { type ActRouteParts, addActRoutes } from './acts/act-routes.ts';
import type { Planner } from './alerts/alert-repository.ts';
import { MailChannel } from './channels/mail/mail-channel.ts';
import { Unsubscribing } from './channels/mail/unsubscribing.ts';
import { PushChannel } from './channels/push/push-channel.ts';
import { pushKeys } from './channels/push/push-keys.ts';
import { Subscriptions } from './channels/push/subscriptions.ts';
import { WebhookChannel } from './channels/webhook/webhook-channel.ts';
import { addWebhookRoutes } from './channels/webhook/webhook-routes.ts';
import { Webhooks } from './channels/webhook/webhooks.ts';
import type { Channel } from './delivery/channel.ts';
import { Deliveries } from './delivery/deliveries.ts';
import { Dispatcher } from './delivery/dispatcher.ts';
import { keptSecret } from './kept-secret.ts';
import { addPersonRoutes } from './people/person-routes.ts';
import { followRemovedAccounts } from './recipients/forget-account.ts';
import { PreferencesOfPeople } from './recipients/preferences.ts';
import { Recipients } from './recipients/recipients.ts';
import type { Circumstances } from './recipients/rows-for.ts';
import type { NotificationSettings } from './settings.ts';
import type { AlertDocument } from './store.ts';
import { Messages } from './texts/messages.ts';
import { addWhyRoutes } from './why/why-routes.ts';

export interface CallingParts {
	store: Store;
	bus: Bus;
	directory: BuildingDirectory;
	catalog: MetricLookup;
	site: Site;
	tokens: Tokens;
	settings: NotificationSettings;
	/** What policy and life of an alert say at a change; whoever evaluates them passes it. Default: nothing. */
	circumstancesOf?: (alert: Alert, now: number) => Circumstances;
	onSettled: (channel: string, status: string) => void;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
}

export interface Calling {
	planner: Planner;
	deliveries: Deliveries;
	/** Run it where this process leads; wake it after each commit of the planner's writes. */
	dispatcher: Dispatcher;
	/** Follows the accounts on the bus; nobody is called before. */
	follow(): Promise<{ close(): Promise<void> }>;
	/** @param acknowledge as `Alerts.acknowledgeFirst`, in turn with evaluations */
	addRoutes(router: Router, acknowledge: ActRouteParts['acknowledge']): void;
	close(): Promise<void>;
}

/**
 * Opens everything that calling people needs.
 *
 *   change of an alert ─▶ recipients ─▶ rowsFor ─▶ rows, in the commit of the change ─▶ dispatcher ─▶ channels
 */
export async function openCalling(parts: CallingParts): Promise<Calling> {
	const { store, bus, directory, catalog, site, tokens, settings, now, logger } = parts;
	const accounts = new AccountDirectory(logger);
	const outbound = new OutboundClient({ allow: new OutboundAllow(settings.OUTBOUND_ALLOW) });
	const mails = settings.SMTP_URL !== undefined;
	const { circumstancesOf } = parts;
	const recipients = new Recipients({
		...{ store, directory, accounts, mails },
		...(circumstancesOf && { circumstancesOf }),
	});
	const deliveries = new Deliveries(store, recipients);
	const links = new ActLinks(await keptSecret(store, 'act links'), now);
	const messages = new Messages({ directory, catalog, site, tokenFor: (id, actor) => links.tokenFor(id, actor) });
	const webhooks = new Webhooks(store, outbound);
	const webhookChannel = new WebhookChannel({ webhooks, outbound, messages, now });
	const preferences = new PreferencesOfPeople(store);
	const subscriptions = new Subscriptions(store, outbound);
	const mailer = Mailer.of(settings, logger);
	const unsubscribing = new Unsubscribing(store, await keptSecret(store, 'unsubscribe links'), site);
	const keys = await pushKeys(store, settings);
	const from = /[^\s<>]+@[^\s<>]+/.exec(settings.MAIL_FROM)?.[0] ?? 'crowdvision@localhost';
	const subject = settings.VAPID_SUBJECT ?? `mailto:${from}`;
	const push = new PushChannel({ subscriptions, outbound, messages, keys, subject, now });
	const mail = new MailChannel({ mailer, host: from.split('@')[1]!, messages, unsubscribing, preferences });
	const channels: Channel[] = [webhookChannel, push, mail];
	const alerts = store.collection<AlertDocument>('alerts');
	const find = async (alertId: string) => (await alerts.get(alertId))?.value.alert;
	const dispatcher = new Dispatcher({
		...{ deliveries, channels, now, logger, onSettled: parts.onSettled },
		stateOf: async (alertId) => (await find(alertId))?.state,
		ownersOf: (alert) => recipients.ownersOf(alert),
		accountOf: (accountId) => accounts.get(accountId),
	});
	return {
		planner: {
			writesOf: (changes) => deliveries.writesOf(changes, now()),
			nameOf: (accountId) => accounts.get(accountId)?.name,
		},
		...{ deliveries, dispatcher },
		follow: async () => {
			const known = await accounts.follow(bus);
			const removed = await followRemovedAccounts(bus, store, logger);
			return {
				close: async () => {
					await removed.close();
					await known.close();
				},
			};
		},
		addRoutes: (router, acknowledge) => {
			const wake = () => dispatcher.wake();
			addWebhookRoutes(router, { webhooks, channel: webhookChannel, deliveries, wake, tokens, site, now });
			addActRoutes(router, { links, accounts, webhooks, find, acknowledge });
			addWhyRoutes(router, { deliveries, recipients, accounts, find });
			addPersonRoutes(router, {
				...{ preferences, subscriptions, push, mail, unsubscribing, accounts, tokens, site, now },
				publicKey: keys.publicKey,
			});
		},
		close: async () => {
			await mailer?.close();
		},
	};
}
