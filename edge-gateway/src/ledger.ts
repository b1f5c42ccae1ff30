import type { Transport } from '@crowdvision/contracts';
import { Counter, type Registry as Metrics } from '@crowdvision/service-kit';

/** What became of the readings of one transport. received = accepted + duplicates + rejected + deferred + pending. */
interface Account {
	received: number;
	accepted: number;
	duplicates: number;
	/** Not taken for now (log full, disk): the sender was told to come again. */
	deferred: number;
	restarts: number;
	/** On their way to the disk. */
	pending: number;
	rejected: Map<string, number>;
}

/** Counts on the hot path are plain numbers; Prometheus reads them when it asks. */
export class Ledger {
	readonly #accounts = new Map<Transport, Account>();

	of(transport: Transport): Account {
		let account = this.#accounts.get(transport);
		if (!account) {
			account = { received: 0, accepted: 0, duplicates: 0, deferred: 0, restarts: 0, pending: 0, rejected: new Map() };
			this.#accounts.set(transport, account);
		}
		return account;
	}

	reject(transport: Transport, reason: string, readings: number): void {
		const { rejected } = this.of(transport);
		rejected.set(reason, (rejected.get(reason) ?? 0) + readings);
	}

	/** Received minus everything that is known to have become of it: 0, or readings went missing inside the gateway. */
	imbalance(): number {
		let sum = 0;
		for (const account of this.#accounts.values()) {
			sum += account.received - account.accepted - account.duplicates - account.deferred - account.pending;
			for (const count of account.rejected.values()) sum -= count;
		}
		return sum;
	}

	summary(): Record<string, Omit<Account, 'rejected'> & { rejected: Record<string, number> }> {
		return Object.fromEntries(
			[...this.#accounts].map(([transport, account]) => [transport, { ...account, rejected: Object.fromEntries(account.rejected) }]),
		);
	}

	register(metrics: Metrics): void {
		const counter = (name: string, help: string, read: (account: Account) => Iterable<[labels: Record<string, string>, value: number]>) => {
			const accounts = this.#accounts;
			new Counter({
				name,
				help,
				labelNames: ['transport', 'reason'],
				registers: [metrics],
				collect() {
					this.reset();
					for (const [transport, account] of accounts) for (const [labels, value] of read(account)) this.inc({ transport, ...labels }, value);
				},
			});
		};
		counter('gateway_readings_received_total', 'Readings that arrived, good or not', ({ received }) => [[{}, received]]);
		counter('gateway_readings_accepted_total', 'Readings that are durable in the log', ({ accepted }) => [[{}, accepted]]);
		counter('gateway_readings_duplicate_total', 'Redeliveries that were recognized', ({ duplicates }) => [[{}, duplicates]]);
		counter('gateway_readings_deferred_total', 'Readings whose sender was told to come again', ({ deferred }) => [[{}, deferred]]);
		counter('gateway_device_restarts_total', 'Restarts inferred from a seq that began again', ({ restarts }) => [[{}, restarts]]);
		counter('gateway_readings_rejected_total', 'Readings that were refused, by reason', ({ rejected }) =>
			[...rejected].map(([reason, count]) => [{ reason }, count]),
		);
	}
}
