import type { Transport } from '@crowdvision/contracts';
import { collectedMetrics, type Registry as Metrics } from '@crowdvision/service-kit';
import { RateLimit } from './rate-limit.ts';

interface Rates {
	messagesPerSecond: number;
	messagesPerSecondPerAddress: number;
}

/** How much the gateway takes of one device, and of one address that many devices may share, whatever the transport. */
export class RateLimits {
	readonly devices: RateLimit;
	readonly addresses: RateLimit;
	/** Messages that were refused or made to wait, by transport. */
	readonly limited = new Map<Transport, number>();
	readonly #onRefused: (transport: Transport, deviceId: string, reason: string) => void;

	/** `onRefused` is told of each message that is to come again. */
	constructor(
		{ messagesPerSecond, messagesPerSecondPerAddress }: Rates,
		onRefused: (transport: Transport, deviceId: string, reason: string) => void = () => undefined,
	) {
		this.#onRefused = onRefused;
		this.devices = new RateLimit(messagesPerSecond);
		this.addresses = new RateLimit(messagesPerSecondPerAddress);
	}

	update({ messagesPerSecond, messagesPerSecondPerAddress }: Rates): void {
		this.devices.update(messagesPerSecond);
		this.addresses.update(messagesPerSecondPerAddress);
	}

	/** @throws CrowdVisionError `rate_limited` with the seconds to wait. */
	take(transport: Transport, deviceId: string, address: string | undefined): void {
		try {
			this.devices.take(deviceId);
			if (address !== undefined) this.addresses.take(address);
		} catch (error) {
			this.count(transport);
			this.#onRefused(transport, deviceId, (error as Error).message);
			throw error;
		}
	}

	count(transport: Transport): void {
		this.limited.set(transport, (this.limited.get(transport) ?? 0) + 1);
	}

	register(metrics: Metrics): void {
		collectedMetrics(metrics).counter(
			'gateway_rate_limited_total',
			'Messages of senders that were too fast: refused over HTTP and Socket.IO, made to wait over MQTT',
			() => [...this.limited].map(([transport, count]) => [{ transport }, count] as const),
			['transport'],
		);
	}
}
