import type { Bus, Subscription } from '@crowdvision/bus';
import {
	CHANNELS,
	type DeviceEvent,
	type ReadingWithCursor,
	type RetainedSensor,
	TABLES,
	weightIn,
} from '@crowdvision/contracts';
import type { BuildingDirectory, Logger } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';

const MOST_LEARNED = 10_000;

/** In which building a sensor stands: as it is registered, or else where it was last heard of. */
export class SensorPlaces {
	readonly #registered = new Map<string, string>();
	readonly #heard = new Map<string, string>();

	/** Follows the registry of sensors. */
	follow(bus: Bus): Promise<Subscription> {
		return bus.watch(TABLES.sensors, (sensorId, value) => {
			if (value === null) this.#registered.delete(sensorId);
			else this.#registered.set(sensorId, (JSON.parse(value) as RetainedSensor).buildingId);
		});
	}

	learn(readings: readonly ReadingWithCursor[]): void {
		for (const { sensorId, buildingId } of readings) {
			if (this.#heard.get(sensorId) === buildingId) continue;
			this.#heard.delete(sensorId);
			this.#heard.set(sensorId, buildingId);
			if (this.#heard.size > MOST_LEARNED) this.#heard.delete(this.#heard.keys().next().value!);
		}
	}

	buildingOf(sensorId: string): string | undefined {
		return this.#registered.get(sensorId) ?? this.#heard.get(sensorId);
	}
}

export interface DeviceParts {
	bus: Bus;
	dashboards: Dashboards;
	directory: BuildingDirectory;
	places: SensorPlaces;
	logger: Logger;
}

/**
 * Tells who may see its building that a device came or went. Of a device whose building nobody knows, nobody is told.
 */
export function followDevices({ bus, dashboards, directory, places, logger }: DeviceParts): Promise<Subscription> {
	return bus.listen(CHANNELS.devices, (message) => {
		try {
			const event = JSON.parse(message) as DeviceEvent;
			const buildingId = places.buildingOf(event.sensorId);
			const domains = (buildingId !== undefined && directory.get(buildingId)?.domains) || [];
			dashboards.tell(
				(memberships) => weightIn(memberships, domains) > 0,
				(socket) => socket.emit('device', event),
			);
		} catch (error) {
			logger.warn({ err: error }, 'what was announced is no device event');
		}
	});
}
