import { TOPICS } from '@crowdvision/contracts';
import { Aedes, type AedesOptions, type AedesPublishPacket, type Client, type Subscription } from 'aedes';

type Done = (error?: Error) => void;

/** Topic of a message that no subscriber is to get: it was refused, or every subscriber has it already. */
export const NOWHERE = '$nowhere';

/**
 * aedes without the search for subscribers where there can be none. What devices publish below `telemetry/` goes into
 * the log, and hardly any client subscribes to it; routing it all the same would be half of its cost.
 */
export class IngestBroker extends Aedes {
	/** Filters that may match telemetry, by connected client. Sessions that are away get no telemetry. */
	readonly #telemetryFilters = new Map<string, Set<string>>();
	#revision = 0;

	constructor(options: AedesOptions) {
		super(options);
		this.on('subscribe', (subscriptions, client) => this.#addFilters(client.id, subscriptions));
		this.on('unsubscribe', (filters, client) => this.#removeFilters(client.id, filters));
		// aedes restores the subscriptions of a resumed session without a `subscribe` event.
		this.on('clientReady', (client) => {
			const { subscriptions } = client as Client & { subscriptions: object };
			this.#addFilters(
				client.id,
				Object.keys(subscriptions).map((topic) => ({ topic })),
			);
		});
		this.on('clientDisconnect', (client) => {
			if (this.#telemetryFilters.delete(client.id)) this.#revision++;
		});
	}

	/** Rises with every change of what `isRouted` returns. */
	get revision(): number {
		return this.#revision;
	}

	/** Whether a message must be routed to subscribers: it may have some, or it is no telemetry. */
	isRouted(packet: { topic: string; retain: boolean }): boolean {
		if (packet.topic === NOWHERE) return false;
		return this.#telemetryFilters.size > 0 || packet.retain || !packet.topic.startsWith(TELEMETRY);
	}

	override publish(packet: AedesPublishPacket, clientOrDone?: Client | Done, done?: Done): void {
		const onDone = typeof clientOrDone === 'function' ? clientOrDone : done;
		if (!this.isRouted(packet)) {
			onDone?.();
			return;
		}
		// aedes accepts (packet, done) and (packet, client, done); its types declare only the first.
		(super.publish as (...all: unknown[]) => void).call(this, packet, clientOrDone, done);
	}

	#addFilters(clientId: string, subscriptions: Pick<Subscription, 'topic'>[]): void {
		for (const { topic } of subscriptions) {
			if (!mayMatchTelemetry(topic)) continue;
			const filters = this.#telemetryFilters.get(clientId) ?? new Set();
			this.#telemetryFilters.set(clientId, filters.add(topic));
			this.#revision++;
		}
	}

	#removeFilters(clientId: string, removed: string[]): void {
		const filters = this.#telemetryFilters.get(clientId);
		for (const filter of removed) filters?.delete(filter);
		if (filters?.size === 0 && this.#telemetryFilters.delete(clientId)) this.#revision++;
	}
}

const TELEMETRY = `${TOPICS.telemetry}/`;

function mayMatchTelemetry(filter: string): boolean {
	const [first] = filter.split('/', 1);
	return first === TOPICS.telemetry || first === '+' || first === '#';
}
