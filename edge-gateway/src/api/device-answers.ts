import { adoptRequest } from '@crowdvision/contracts';
import { parseBody } from '@crowdvision/service-kit';
import type { ControlAnswers } from '../control/control-socket.ts';
import { type DeviceListParts, deviceList } from '../devices/device-list.ts';
import type { Operator } from '../devices/placement.ts';

/** Whoever may open the local door runs this gateway. */
const OWNER: Operator = { mayLookAt: () => true, requireStaff: () => undefined };

/**
 * What the local door answers: `/devices`, and `/adopt?sensorId=…&buildingId=…&roomId=…`. They throw what the HTTP
 * routes answer.
 */
export function deviceAnswers(parts: DeviceListParts): ControlAnswers {
	return {
		'/devices': async () => deviceList(parts, OWNER),
		'/adopt': async (query) => {
			const { sensorId = '', ...place } = Object.fromEntries(query);
			return parts.placement.adopt({ sensorId, ...parseBody(adoptRequest, place) }, OWNER);
		},
	};
}
