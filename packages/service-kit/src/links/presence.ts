import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';

/** The one thing this needs of the bus. */
interface Listenable {
	listen(channel: string, handle: (message: string) => void): Promise<{ close(): Promise<void> }>;
}

const MOST_REMEMBERED = 100_000;

/**
 * Devices that said they are gone, as far as this process heard: it is told once, to whoever listens. Who missed it
 * finds their values stale soon after.
 */
export class Presence {
	readonly #gone = new Map<string, number>();

	follow(bus: Listenable): Promise<{ close(): Promise<void> }> {
		return bus.listen(CHANNELS.devices, (message) => this.#hear(message));
	}

	/** When a sensor's device said that it is gone, in epoch ms, as a field to lay over what the sensor said. */
	of(sensorId: string): { offlineAt?: number } {
		const offlineAt = this.#gone.get(sensorId);
		return offlineAt === undefined ? {} : { offlineAt };
	}

	#hear(message: string): void {
		let event: Partial<DeviceEvent>;
		try {
			event = JSON.parse(message) as Partial<DeviceEvent>;
		} catch {
			return;
		}
		const { sensorId, state, at } = event;
		if (typeof sensorId !== 'string' || typeof at !== 'number') return;
		this.#gone.delete(sensorId);
		if (state === 'offline') this.#gone.set(sensorId, at);
		if (this.#gone.size > MOST_REMEMBERED) this.#gone.delete(this.#gone.keys().next().value!);
	}
}
