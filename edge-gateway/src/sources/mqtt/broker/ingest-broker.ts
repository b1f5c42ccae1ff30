import { TOPICS } from '@crowdvision/contracts';
import { Aedes, type AedesOptions, type AedesPublishPacket, type Client, type Subscription } from 'aedes';

type Done = (error?: Error) => void;

/** Where a message goes that nobody is to get: what was refused, or has been to everybody already. */
export const NOWHERE = '$nowhere';

/**
 * aedes, without its search for subscribers where there can be none: what devices publish below `telemetry/` goes into
 * the log, and hardly anybody subscribes to it here. Routing a message to nobody is half of what it costs.
 */
export class IngestBroker extends Aedes {
	/** Filters of connected clients that may match telemetry. Nothing of it waits for a session that is away. */
	readonly #interested = new Map<string, Set<string>>();

	constructor(options: AedesOptions) {
		super(options);
		this.on('subscribe', (subscriptions, client) => this.#subscribed(client.id, subscriptions));
		this.on('unsubscribe', (filters, client) => this.#unsubscribed(client.id, filters));
		// A session brings its subscriptions along, and does not say them again.
		this.on('clientReady', (client) => {
			const { subscriptions } = client as Client & { subscriptions: object };
			this.#subscribed(
				client.id,
				Object.keys(subscriptions).map((topic) => ({ topic })),
			);
		});
		this.on('clientDisconnect', (client) => this.#interested.delete(client.id));
	}

	/** Whether a message must be routed: somebody may want it, or it is no reading. */
	isRouted(packet: { topic: string; retain: boolean }): boolean {
		if (packet.topic === NOWHERE) return false;
		return this.#interested.size > 0 || packet.retain || !packet.topic.startsWith(TELEMETRY);
	}

	override publish(packet: AedesPublishPacket, clientOrDone?: Client | Done, done?: Done): void {
		const settled = typeof clientOrDone === 'function' ? clientOrDone : done;
		if (!this.isRouted(packet)) {
			settled?.();
			return;
		}
		// aedes takes (packet, done) and (packet, client, done); its types know the first only.
		(super.publish as (...all: unknown[]) => void).call(this, packet, clientOrDone, done);
	}

	#subscribed(clientId: string, subscriptions: Pick<Subscription, 'topic'>[]): void {
		for (const { topic } of subscriptions) {
			if (!mayMatchTelemetry(topic)) continue;
			const filters = this.#interested.get(clientId) ?? new Set();
			this.#interested.set(clientId, filters.add(topic));
		}
	}

	#unsubscribed(clientId: string, filters: string[]): void {
		const kept = this.#interested.get(clientId);
		for (const filter of filters) kept?.delete(filter);
		if (kept?.size === 0) this.#interested.delete(clientId);
	}
}

const TELEMETRY = `${TOPICS.telemetry}/`;

function mayMatchTelemetry(filter: string): boolean {
	const [first] = filter.split('/', 1);
	return first === TOPICS.telemetry || first === '+' || first === '#';
}
