import type { Bus, Subscription } from '@crowdvision/bus';
import { type ReadingWithCursor, type RetainedSensor, TABLES } from '@crowdvision/contracts';

const MAX_LEARNED = 10_000;

/** Which building each sensor is in: where it is registered, or else the building of its last reading. */
export class SensorPlaces {
	readonly #registered = new Map<string, string>();
	readonly #learned = new Map<string, string>();

	/** Follows the registry of sensors until the subscription is closed. */
	follow(bus: Bus): Promise<Subscription> {
		return bus.watch(TABLES.sensors, (sensorId, value) => {
			if (value === null) this.#registered.delete(sensorId);
			else this.#registered.set(sensorId, (JSON.parse(value) as RetainedSensor).buildingId);
		});
	}

	/** Remembers the building of each reading's sensor, for the 10,000 sensors that moved or appeared last. */
	learn(readings: readonly ReadingWithCursor[]): void {
		for (const { sensorId, buildingId } of readings) {
			if (this.#learned.get(sensorId) === buildingId) continue;
			this.#learned.delete(sensorId);
			this.#learned.set(sensorId, buildingId);
			if (this.#learned.size > MAX_LEARNED) this.#learned.delete(this.#learned.keys().next().value!);
		}
	}

	buildingOf(sensorId: string): string | undefined {
		return this.#registered.get(sensorId) ?? this.#learned.get(sensorId);
	}
}
