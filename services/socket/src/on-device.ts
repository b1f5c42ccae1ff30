import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, weightIn } from '@crowdvision/contracts';
import type { BuildingDirectory, Logger } from '@crowdvision/service-kit';
import type { Dashboards } from './dashboards/dashboards.ts';
import type { SensorPlaces } from './dashboards/sensor-places.ts';

export interface DeviceParts {
	bus: Bus;
	dashboards: Dashboards;
	directory: BuildingDirectory;
	places: SensorPlaces;
	logger: Logger;
}

/**
 * Sends the reports of devices that go online or offline to the dashboards that may see their building. A device whose
 * building is unknown is reported to nobody.
 */
export function followDevices({ bus, dashboards, directory, places, logger }: DeviceParts): Promise<Subscription> {
	return bus.listen(CHANNELS.devices, (message) => {
		try {
			const event = JSON.parse(message) as DeviceEvent;
			const buildingId = places.buildingOf(event.sensorId);
			const domains = (buildingId !== undefined && directory.get(buildingId)?.domains) || [];
			dashboards.send(
				(memberships) => weightIn(memberships, domains) > 0,
				(socket) => socket.emit('device', event),
			);
		} catch (error) {
			logger.warn({ err: error }, 'an invalid device event was announced');
		}
	});
}
