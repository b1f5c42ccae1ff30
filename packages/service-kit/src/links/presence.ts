import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';

/** The part of the bus that this needs. */
interface Listenable {
	listen(channel: string, handle: (message: string) => void): Promise<{ close(): Promise<void> }>;
}

const MAX_REMEMBERED = 100_000;

/**
 * Devices that went offline while this process was listening: the event is announced once. A process that missed it
 * sees the device's values turn stale soon after.
 */
export class Presence {
	readonly #offline = new Map<string, number>();

	follow(bus: Listenable): Promise<{ close(): Promise<void> }> {
		return bus.listen(CHANNELS.devices, (message) => this.#onMessage(message));
	}

	/** When a sensor's device went offline, in epoch ms, as a field to merge into the sensor's state; else `{}`. */
	of(sensorId: string): { offlineAt?: number } {
		const offlineAt = this.#offline.get(sensorId);
		return offlineAt === undefined ? {} : { offlineAt };
	}

	#onMessage(message: string): void {
		let event: Partial<DeviceEvent>;
		try {
			event = JSON.parse(message) as Partial<DeviceEvent>;
		} catch {
			return;
		}
		const { sensorId, state, at } = event;
		if (typeof sensorId !== 'string' || typeof at !== 'number') return;
		this.#offline.delete(sensorId);
		if (state === 'offline') this.#offline.set(sensorId, at);
		if (this.#offline.size > MAX_REMEMBERED) this.#offline.delete(this.#offline.keys().next().value!);
	}
}
