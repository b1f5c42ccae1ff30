import type { Bus, Subscription } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';
import { type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { OfflineDevices } from './state/offline-devices.ts';

const MOST_WAITING = 10_000;

export interface DeviceParts {
	bus: Bus;
	offline: OfflineDevices;
	logger: Logger;
}

/** Records when devices report that they go offline or come back, in the order of the reports. */
export function followDevices({ bus, offline, logger }: DeviceParts): Promise<Subscription> {
	const queue = new SerialQueue(MOST_WAITING);
	return bus.listen(CHANNELS.devices, (message) => {
		const event = parse(message);
		if (!event) return;
		queue
			.run(() => offline.record(event))
			.catch((error: unknown) =>
				logger.warn({ err: error, sensorId: event.sensorId }, 'that a device came or went could not be kept'),
			);
	});
}

function parse(message: string): DeviceEvent | undefined {
	try {
		const { sensorId, state, at, gatewayId } = JSON.parse(message) as Partial<DeviceEvent>;
		if (typeof sensorId !== 'string' || typeof at !== 'number' || (state !== 'online' && state !== 'offline'))
			return undefined;
		return { sensorId, state, at, gatewayId: String(gatewayId) };
	} catch {
		return undefined;
	}
}
