import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { OfflineDevices } from './state/offline-devices.ts';

/** Reports waiting to be stored. */
const MAX_WAITING = 10_000;

export interface DeviceParts {
	bus: Bus;
	offline: OfflineDevices;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	logger: Logger;
}

/** Records when devices report that they go offline or come back, in the order of the reports. */
export function followDevices({ bus, offline, now, logger }: DeviceParts): Promise<Subscription> {
	const queue = new SerialQueue(MAX_WAITING);
	return bus.listen(CHANNELS.devices, (message) => {
		const event = parse(message);
		if (!event) return;
		queue
			.run(() => offline.record(event, now()))
			.catch((error: unknown) =>
				logger.warn(
					{ err: error, sensorId: event.sensorId },
					'a report that a device is online or offline could not be stored',
				),
			);
	});
}

function parse(message: string): DeviceEvent | undefined {
	try {
		const { sensorId, state, at, gatewayId, domainName, buildingId } = JSON.parse(message) as Partial<DeviceEvent>;
		if (typeof sensorId !== 'string' || typeof at !== 'number' || (state !== 'online' && state !== 'offline'))
			return undefined;
		return {
			sensorId,
			state,
			at,
			gatewayId: String(gatewayId),
			...(typeof domainName === 'string' && { domainName }),
			...(typeof buildingId === 'string' && { buildingId }),
		};
	} catch {
		return undefined;
	}
}
