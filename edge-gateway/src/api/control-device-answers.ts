/** The answers of the control socket about devices. */
import { adoptRequest } from '@crowdvision/contracts';
import { type ControlAnswers, pageOf, parseBody } from '@crowdvision/service-kit';
import { DEVICE_CURSOR, type DeviceListParts, deviceList } from '../devices/device-list.ts';
import type { Operator } from '../devices/placement.ts';

/** Whoever can open the control socket runs this gateway, and may do everything. */
const OWNER: Operator = { mayLookAt: () => true, requireStaff: () => undefined };

/**
 * The control socket's `/devices?cursor=…` and `/adopt?sensorId=…&buildingId=…&roomId=…`. Their errors are those of the
 * HTTP routes.
 */
export function controlDeviceAnswers(parts: DeviceListParts): ControlAnswers {
	return {
		'/devices': async (query) => deviceList(parts, OWNER, pageOf({ query: Object.fromEntries(query) }, DEVICE_CURSOR)),
		'/adopt': async (query) => {
			const { sensorId = '', ...place } = Object.fromEntries(query);
			return parts.placement.adopt({ sensorId, ...parseBody(adoptRequest, place) }, OWNER);
		},
	};
}
