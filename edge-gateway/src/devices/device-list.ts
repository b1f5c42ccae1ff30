import type { Availability, SensorStatus } from './availability.ts';
import type { DeviceStatus, Devices } from './devices.ts';
import type { Operator, Placement } from './placement.ts';
import type { Quarantine, QuarantinedSensor } from './quarantine.ts';

export interface DeviceListParts {
	devices: Devices;
	availability: Availability;
	quarantine: Quarantine;
	placement: Placement;
}

/** The connected devices, the sensors with their state, and the sensors that wait to be adopted. */
export interface DeviceList {
	devices: DeviceStatus[];
	sensors: SensorStatus[];
	quarantined: QuarantinedSensor[];
}

/** Returns the part of the list that the operator may see. */
export function deviceList(
	{ devices, availability, quarantine, placement }: DeviceListParts,
	operator: Operator,
): DeviceList {
	return {
		devices: devices.list(({ domainName }) => operator.mayLookAt(domainName)),
		sensors: availability.list((sensor) => placement.maySee(operator, sensor)),
		quarantined: quarantine.list((sensor) => placement.maySee(operator, sensor)),
	};
}
