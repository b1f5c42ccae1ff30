import { randomUUID } from 'node:crypto';
import type { Alert, DeliveryStatus, RetainedAccount } from '@crowdvision/contracts';
import { weightIn } from '@crowdvision/contracts';
import { backOff, keepRunning, type Logger } from '@crowdvision/service-kit';
import type { Versioned } from '@crowdvision/store';
import { type DeliveryDocument, outdatedBy, type Reason } from '../recipients/row.ts';
import { WakeUp } from '../wake-up.ts';
import type { Channel, Outcome } from './channel.ts';
import type { Deliveries } from './deliveries.ts';

/** Messages of one channel that are sent at a time, each to another recipient. */
const PARALLEL = 16;
/** How often to look for rows that other replicas wrote: they cannot wake this one. */
const POLL_EVERY_MS = 1000;
/** How long a message is tried. */
const TRIED_MS = 24 * 3600_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30 * 60_000;
const DETAIL = 300;

export interface DispatcherParts {
	deliveries: Deliveries;
	channels: readonly Channel[];
	/** The present state of an alert; undefined for one that is gone. */
	stateOf: (alertId: string) => Promise<Alert['state'] | undefined>;
	/** The domains that own an alert now. */
	ownersOf: (alert: Alert) => readonly string[];
	accountOf: (accountId: string) => RetainedAccount | undefined;
	onSettled: (channel: string, status: DeliveryStatus) => void;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
	/** The pause before the next try after `failures`, in ms. Default: from one second to half an hour, for tests. */
	pauseAfter?: (failures: number) => number;
}

/**
 * Sends pending rows, while this process leads. Each channel has a loop of its own, and within it each recipient its
 * turn: a slow one delays no other. A row is claimed before it is sent, so of two processes that believe to lead one
 * sends; a process that is killed in between leaves a pending row, which is sent once more under the same key.
 */
export class Dispatcher {
	readonly #parts: DispatcherParts;
	readonly #token = randomUUID();
	readonly #wakeUps = new Map<string, WakeUp>();
	#running: { stopped: AbortController; done: Promise<unknown> } | undefined;

	constructor(parts: DispatcherParts) {
		this.#parts = parts;
		for (const { name } of parts.channels) this.#wakeUps.set(name, new WakeUp());
	}

	start(): void {
		if (this.#running) return;
		const stopped = new AbortController();
		const loops = this.#parts.channels.map((channel) => this.#run(channel, stopped.signal));
		this.#running = { stopped, done: Promise.all(loops) };
	}

	/** Call it after rows were committed. Returns at once. */
	wake(): void {
		for (const wakeUp of this.#wakeUps.values()) wakeUp.call();
	}

	/** Resolves when what is being sent has ended. */
	async stop(): Promise<void> {
		const running = this.#running;
		this.#running = undefined;
		running?.stopped.abort();
		await running?.done;
	}

	async #run(channel: Channel, signal: AbortSignal): Promise<void> {
		const { deliveries, now, logger } = this.#parts;
		const sending = new Map<string, Promise<void>>();
		const wakeUp = this.#wakeUps.get(channel.name)!;
		const step = async () => {
			const room = PARALLEL - sending.size;
			const rows =
				room > 0 ? await deliveries.due(channel.name, now(), (recipient) => sending.has(recipient), room) : [];
			for (const row of rows) {
				const { recipient } = row.value;
				const done = this.#deliver(channel, row, signal)
					.catch((error: unknown) => {
						if (!signal.aborted) logger.warn({ err: error, channel: channel.name }, 'a message could not be handled');
					})
					.finally(() => {
						sending.delete(recipient);
						wakeUp.call();
					});
				sending.set(recipient, done);
			}
			const next = await deliveries.nextDue(channel.name, now());
			const wait = next === undefined ? POLL_EVERY_MS : Math.min(POLL_EVERY_MS, Math.max(1, next - now()));
			await wakeUp.wait(signal, wait);
		};
		await keepRunning(step, {
			...{ what: `sending messages by ${channel.name}`, signal, logger, firstMs: 100, longestMs: 5000 },
		});
		await Promise.all(sending.values());
	}

	async #deliver(channel: Channel, read: Versioned<DeliveryDocument>, signal: AbortSignal): Promise<void> {
		const { deliveries } = this.#parts;
		const refused = await this.#whyNot(read.value);
		if (refused) return this.#settle(read, refused.status, refused.reason);
		const attempts = read.value.attempts + 1;
		const claimed = await deliveries.change(read, { claim: this.#token, attempts });
		if (!claimed) return;
		const { alert, recipient, domainName, accountId, by } = claimed.value;
		const account = accountId === undefined ? undefined : this.#parts.accountOf(accountId);
		const outcome = await channel.send(
			{
				...{ key: claimed.id, alert, recipient, domainName },
				...(account && { account: { ...account, id: accountId! } }),
				...(by !== undefined && { by }),
			},
			signal,
		);
		await this.#conclude(claimed, outcome);
	}

	async #conclude(row: Versioned<DeliveryDocument>, outcome: Outcome): Promise<void> {
		const { deliveries, now, pauseAfter = defaultPause } = this.#parts;
		if (outcome.is === 'delivered') return this.#settle(row, 'delivered');
		if (outcome.is === 'failed' || outcome.is === 'suppressed') return this.#settle(row, outcome.is, outcome.reason);
		const detail = outcome.detail.slice(0, DETAIL);
		const due = now() + Math.max(outcome.afterMs ?? 0, pauseAfter(row.value.attempts - 1));
		if (due > row.value.since + TRIED_MS) return this.#settle(row, 'failed', { code: 'expired', detail });
		await deliveries.change(row, { due, reason: { code: 'refused', detail } });
	}

	/** Why a row is not to be sent any more, as things are now. */
	async #whyNot(row: DeliveryDocument): Promise<{ status: DeliveryStatus; reason: Reason } | undefined> {
		const { alert, accountId, channel, recipient } = row;
		if (accountId === undefined) return undefined;
		const account = this.#parts.accountOf(accountId);
		if (!account || weightIn(account.memberships, this.#parts.ownersOf(alert)) === 0)
			return { status: 'suppressed', reason: { code: 'not_member' } };
		const outdated = outdatedBy(alert.state, (await this.#parts.stateOf(alert.id)) ?? 'resolved');
		if (outdated) return { status: 'replaced', reason: outdated };
		const isNews = alert.state === 'open' || alert.state === 'escalated';
		if (!isNews && !(await this.#parts.deliveries.hasReached(alert, channel, recipient)))
			return { status: 'suppressed', reason: { code: 'not_called_before' } };
		return undefined;
	}

	async #settle(read: Versioned<DeliveryDocument>, status: DeliveryStatus, reason?: Reason): Promise<void> {
		const { deliveries, now, onSettled } = this.#parts;
		const { reason: _before, ...value } = read.value;
		const settled = { ...value, status, due: now(), ...(reason && { reason }) };
		if (await deliveries.change({ ...read, value: settled }, {})) onSettled(read.value.channel, status);
	}
}

const defaultPause = (failures: number) => backOff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
