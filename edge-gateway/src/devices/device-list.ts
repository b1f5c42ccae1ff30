/** The list of devices, sensors and quarantined sensors, as an operator may see it. */
import type { DeviceList } from '@crowdvision/contracts';
import type { Availability } from './availability.ts';
import type { Devices } from './devices.ts';
import type { Operator, Placement } from './placement.ts';
import type { Quarantine } from './quarantine.ts';
import type { SensorNames } from './sensor-names.ts';

/** What the list is made of. */
export interface DeviceListParts {
	devices: Devices;
	availability: Availability;
	quarantine: Quarantine;
	placement: Placement;
	names: Pick<SensorNames, 'nameOf'>;
}

/** Returns the part of the list that the operator may see. */
export function deviceList(
	{ devices, availability, quarantine, placement, names }: DeviceListParts,
	operator: Operator,
): DeviceList {
	const named = <T extends { sensorId: string; domainName?: string | undefined }>(sensor: T) => {
		const name = names.nameOf(sensor.sensorId, sensor.domainName);
		return name === undefined ? sensor : { ...sensor, name };
	};
	return {
		devices: devices.list(({ domainName }) => operator.mayLookAt(domainName)),
		sensors: availability.list((sensor) => placement.maySee(operator, sensor)).map(named),
		quarantined: quarantine.list((sensor) => placement.maySee(operator, sensor)).map(named),
	};
}
