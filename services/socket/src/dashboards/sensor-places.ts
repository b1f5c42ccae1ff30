import type { Bus, Subscription } from '@crowdvision/bus';
import { type ReadingWithCursor, type RetainedSensor, SensorsById, TABLES } from '@crowdvision/contracts';

const MAX_LEARNED = 10_000;

/** The buildings that a sensor is remembered in; several tenants may have one of this id. */
const MAX_BUILDINGS = 8;

/** Which buildings the sensors of an id are in: where they are registered, or else those of their last readings. */
export class SensorPlaces {
	readonly #registered = new SensorsById<RetainedSensor>();
	/** The building of the last reading first. */
	readonly #learned = new Map<string, readonly string[]>();

	/** Follows the registry of sensors until the subscription is closed. */
	follow(bus: Bus): Promise<Subscription> {
		return bus.watch(TABLES.sensors, (key, value) =>
			this.#registered.set(key, value === null ? undefined : (JSON.parse(value) as RetainedSensor)),
		);
	}

	/** Remembers the building of each reading's sensor, for the 10,000 sensors that moved or appeared last. */
	learn(readings: readonly ReadingWithCursor[]): void {
		for (const { sensorId, buildingId } of readings) {
			const known = this.#learned.get(sensorId) ?? [];
			if (known[0] === buildingId) continue;
			const others = known.filter((id) => id !== buildingId);
			this.#learned.delete(sensorId);
			this.#learned.set(sensorId, [buildingId, ...others].slice(0, MAX_BUILDINGS));
			if (this.#learned.size > MAX_LEARNED) this.#learned.delete(this.#learned.keys().next().value!);
		}
	}

	/** The buildings that a sensor of this id may be in, the likeliest first. */
	buildingsOf(sensorId: string): readonly string[] {
		const registered = this.#registered.of(sensorId).map(({ buildingId }) => buildingId);
		return [...registered, ...(this.#learned.get(sensorId) ?? [])];
	}
}
