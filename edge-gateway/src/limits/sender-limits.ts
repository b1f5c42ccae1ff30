/** Limits how many messages a second a device and its network address may send. */
import type { Transport } from '@crowdvision/contracts';
import { collectedMetrics, type Registry as Metrics } from '@crowdvision/service-kit';
import { RateLimiter } from './rate-limiter.ts';

interface Rates {
	messagesPerSecond: number;
	messagesPerSecondPerAddress: number;
}

/** Called for a message that was refused and must be sent again. */
type OnRefused = (transport: Transport, deviceId: string, reason: string) => void;

/** Limits the messages of each device, and of each network address that devices may share, over all transports. */
export class SenderLimits {
	readonly devices: RateLimiter;
	readonly addresses: RateLimiter;
	/** Messages that were refused or delayed, by transport. */
	readonly #limited = new Map<Transport, number>();
	readonly #onRefused: OnRefused;

	constructor({ messagesPerSecond, messagesPerSecondPerAddress }: Rates, onRefused: OnRefused = () => undefined) {
		this.#onRefused = onRefused;
		this.devices = new RateLimiter(messagesPerSecond);
		this.addresses = new RateLimiter(messagesPerSecondPerAddress);
	}

	update({ messagesPerSecond, messagesPerSecondPerAddress }: Rates): void {
		this.devices.update(messagesPerSecond);
		this.addresses.update(messagesPerSecondPerAddress);
	}

	/**
	 * Counts a message.
	 * @param address undefined for a sender without a network address, such as a serial port
	 * @throws CrowdVisionError `rate_limited` with the seconds to wait
	 */
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

	/** Counts a message that was refused or delayed. */
	count(transport: Transport): void {
		this.#limited.set(transport, (this.#limited.get(transport) ?? 0) + 1);
	}

	register(metrics: Metrics): void {
		collectedMetrics(metrics).counter(
			'gateway_rate_limited_total',
			'Messages of senders that were too fast: refused over HTTP and Socket.IO, delayed over MQTT',
			() => [...this.#limited].map(([transport, count]) => [{ transport }, count] as const),
			['transport'],
		);
	}
}
