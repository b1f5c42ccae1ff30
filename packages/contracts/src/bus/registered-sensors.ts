/** The sensors in a retained table, where each tenant may have one of the same id. */
import type { RetainedSensor } from './channels.ts';

/** The part of a registered sensor that its key is made of. */
type Keyed = Pick<RetainedSensor, 'sensorId' | 'buildingId'>;

/**
 * The key of a sensor in the tables of sensors: its id, or `{buildingId}/{sensorId}` where the id is the key of a
 * sensor in another building. Neither kind of id holds a slash. Readers take the key as a name only: which sensor it is
 * stands in the value.
 * @param keyed the sensor that has the id as its key, if there is one
 */
export function sensorKey({ sensorId, buildingId }: Keyed, keyed: Keyed | undefined): string {
	return keyed === undefined || keyed.buildingId === buildingId ? sensorId : `${buildingId}/${sensorId}`;
}

/** Sensors by their key in a table, found by their id. */
export class SensorsById<S extends Keyed> {
	readonly #byKey = new Map<string, S>();
	readonly #byId = new Map<string, readonly S[]>();

	/** Adds or replaces the sensor of a key; undefined removes it. */
	set(key: string, sensor: S | undefined): void {
		const before = this.#byKey.get(key);
		if (before) this.#replace(before.sensorId, (sensors) => sensors.filter((one) => one !== before));
		if (sensor) {
			this.#byKey.set(key, sensor);
			this.#replace(sensor.sensorId, (sensors) => [...sensors, sensor]);
		} else this.#byKey.delete(key);
	}

	get(key: string): S | undefined {
		return this.#byKey.get(key);
	}

	/** The sensors of an id, of all tenants. */
	of(sensorId: string): readonly S[] {
		return this.#byId.get(sensorId) ?? NONE;
	}

	/** The sensor of an id in a building. */
	in(buildingId: string, sensorId: string): S | undefined {
		return this.of(sensorId).find((sensor) => sensor.buildingId === buildingId);
	}

	/** All sensors, with their keys. */
	[Symbol.iterator](): IterableIterator<[key: string, sensor: S]> {
		return this.#byKey.entries();
	}

	#replace(sensorId: string, change: (sensors: readonly S[]) => readonly S[]): void {
		const sensors = change(this.of(sensorId));
		if (sensors.length > 0) this.#byId.set(sensorId, sensors);
		else this.#byId.delete(sensorId);
	}
}

const NONE: readonly never[] = [];
