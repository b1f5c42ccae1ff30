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

/** What is connected, which sensors are there, and which wait to be adopted. */
export interface DeviceList {
	devices: DeviceStatus[];
	sensors: SensorStatus[];
	quarantined: QuarantinedSensor[];
}

/** As far as the operator may see it. */
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
