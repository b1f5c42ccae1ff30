import { CHANNELS, type DeviceEvent, MAX_AHEAD_MS } from '@crowdvision/contracts';

/**
 * The key under which a service keeps whether a sensor is offline: sensors of the same id in other buildings are other
 * sensors. The id alone where an earlier version's gateway does not name the building; undefined for a sensor that has
 * no building yet.
 */
export function presenceKey(
	sensorId: string,
	{ buildingId, domainName }: Pick<Partial<DeviceEvent>, 'buildingId' | 'domainName'>,
): string | undefined {
	if (buildingId !== undefined) return `${buildingId}/${sensorId}`;
	return domainName === undefined ? sensorId : undefined;
}

/**
 * The time of a report that a device is online or offline, in epoch ms: the time of receipt, `now`, if the gateway
 * states one that is more than a minute ahead. Such a time would outrank the reports after it.
 */
export const reportedAt = ({ at }: Pick<DeviceEvent, 'at'>, now: number): number =>
	at > now + MAX_AHEAD_MS ? now : at;

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
	readonly #now: () => number;

	/** @param now epoch ms, by the clock that readings are judged by */
	constructor(now: () => number) {
		this.#now = now;
	}

	follow(bus: Listenable): Promise<{ close(): Promise<void> }> {
		return bus.listen(CHANNELS.devices, (message) => this.#onMessage(message));
	}

	/**
	 * When the device of a sensor of this building went offline, in epoch ms, as a field to merge into the sensor's
	 * state; else `{}`.
	 */
	of(sensorId: string, buildingId: string): { offlineAt?: number } {
		const offlineAt = this.#offline.get(`${buildingId}/${sensorId}`) ?? this.#offline.get(sensorId);
		return offlineAt === undefined ? {} : { offlineAt };
	}

	#onMessage(message: string): void {
		let event: Partial<DeviceEvent>;
		try {
			event = JSON.parse(message) as Partial<DeviceEvent>;
		} catch {
			return;
		}
		const { state, at } = event;
		if (typeof event.sensorId !== 'string' || typeof at !== 'number') return;
		const sensorId = presenceKey(event.sensorId, event);
		if (sensorId === undefined) return;
		this.#offline.delete(sensorId);
		if (state === 'offline') this.#offline.set(sensorId, reportedAt({ at }, this.#now()));
		if (this.#offline.size > MAX_REMEMBERED) this.#offline.delete(this.#offline.keys().next().value!);
	}
}
