/** The answers of the control socket about devices. */
import { adoptRequest } from '@crowdvision/contracts';
import { type ControlAnswers, parseBody } from '@crowdvision/service-kit';
import { type DeviceListParts, deviceList } from '../devices/device-list.ts';
import type { Operator } from '../devices/placement.ts';

/** Whoever can open the control socket runs this gateway, and may do everything. */
const OWNER: Operator = { mayLookAt: () => true, requireStaff: () => undefined };

/**
 * The control socket's `/devices` and `/adopt?sensorId=…&buildingId=…&roomId=…`. Their errors are those of the HTTP
 * routes.
 */
export function controlDeviceAnswers(parts: DeviceListParts): ControlAnswers {
	return {
		'/devices': async () => deviceList(parts, OWNER),
		'/adopt': async (query) => {
			const { sensorId = '', ...place } = Object.fromEntries(query);
			return parts.placement.adopt({ sensorId, ...parseBody(adoptRequest, place) }, OWNER);
		},
	};
}
