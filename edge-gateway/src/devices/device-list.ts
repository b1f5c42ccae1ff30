/** The list of devices, sensors and quarantined sensors, as an operator may see it. */
import type { DeviceList } from '@crowdvision/contracts';
import { nextCursorOf, type Page, pageOfItems } from '@crowdvision/service-kit';
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

/** Where a page of the list begins: the list, the order in it, and what tells entries of one order apart. */
type Position = readonly [list: number, order: number, key: string];
/** The types of the parts of the list's cursors. */
export const DEVICE_CURSOR = ['number', 'number', 'string'] as const;

/**
 * A page of the list, as far as the operator may see it: devices, then sensors, both by id, then quarantined sensors,
 * the one that was first heard last first. No position changes when a device sends, so a reader of all pages misses
 * none.
 */
export function deviceList(
	{ devices, availability, quarantine, placement, names }: DeviceListParts,
	operator: Operator,
	page: Page<Position>,
): DeviceList {
	const named = <T extends { sensorId: string; domainName?: string | undefined }>(sensor: T) => {
		const name = names.nameOf(sensor.sensorId, sensor.domainName);
		return name === undefined ? sensor : { ...sensor, name };
	};
	const keyOf = ({ sensorId, domainName = '' }: { sensorId: string; domainName?: string | undefined }) =>
		`${sensorId} ${domainName}`;
	const entries = [
		...devices
			.list(({ domainName }) => operator.mayLookAt(domainName))
			.map((device) => ({ at: [0, 0, `${device.id} ${device.transport}`] as Position, device })),
		...availability
			.list((sensor) => placement.maySee(operator, sensor))
			.map((sensor) => ({ at: [1, 0, keyOf(sensor)] as Position, sensor })),
		...quarantine
			.list((sensor) => placement.maySee(operator, sensor))
			.map((quarantined) => ({ at: [2, -quarantined.firstSeen, keyOf(quarantined)] as Position, quarantined })),
	].sort((a, b) => compare(a.at, b.at));
	const { items, next } = pageOfItems(
		entries,
		page,
		({ at }) => at,
		({ at }, after) => compare(at, after) > 0,
	);
	return {
		devices: items.flatMap((item) => ('device' in item ? [item.device] : [])),
		sensors: items.flatMap((item) => ('sensor' in item ? [named(item.sensor)] : [])),
		quarantined: items.flatMap((item) => ('quarantined' in item ? [named(item.quarantined)] : [])),
		...nextCursorOf(next),
	};
}

const compare = (a: Position, b: Position): number =>
	a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : Number(a[2] > b[2]));
