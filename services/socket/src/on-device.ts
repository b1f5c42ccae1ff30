import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, domainCovers, weightIn } from '@crowdvision/contracts';
import { type BuildingDirectory, type Logger, reportedAt } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';
import type { SensorPlaces } from './dashboards/sensor-places.ts';

export interface DeviceParts {
	bus: Bus;
	dashboards: Dashboards;
	directory: BuildingDirectory;
	places: SensorPlaces;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	logger: Logger;
}

/**
 * Sends the reports of devices that go online or offline to the dashboards that may see their building. A device whose
 * building is unknown is reported to nobody.
 */
export function followDevices({ bus, dashboards, directory, places, now, logger }: DeviceParts): Promise<Subscription> {
	return bus.listen(CHANNELS.devices, (message) => {
		try {
			const event = JSON.parse(message) as DeviceEvent;
			const domains = domainsOf(event, directory, places);
			const { domainName: _, generation: __, ...shown } = event;
			dashboards.send(
				(memberships) => weightIn(memberships, domains) > 0,
				(some) => some.emit('device', { ...shown, at: reportedAt(event, now()) }),
			);
		} catch (error) {
			logger.warn({ err: error }, 'an invalid device event was announced');
		}
	});
}

/** The domains whose accounts may see an event: those of the building that the device's readings are of. */
function domainsOf(
	{ sensorId, domainName, buildingId, generation }: DeviceEvent,
	directory: BuildingDirectory,
	places: SensorPlaces,
): readonly string[] {
	const known = buildingId === undefined ? places.buildingsOf(sensorId) : [buildingId];
	// A device that another tenant's sensor id was given to is not that tenant's device.
	const building = known
		.map((id) => directory.get(id))
		.find((one) => one && (domainName === undefined || one.domains.some((owner) => domainCovers(domainName, owner))));
	if (!building || directory.ended(building.id)?.isOver(generation ?? building.generation)) return [];
	return building.domains;
}
