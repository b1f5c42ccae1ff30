import type { Bus } from '@crowdvision/bus';
import { CHANNELS, TOPICS } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { OnChange } from '../devices/availability.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';

/**
 * Returns a listener that announces each change of a sensor's state on the bus, and on the local broker as its retained
 * `status/{sensorId}`, unless the device itself has published it there.
 */
export function announceAvailability(bus: Bus | undefined, local: LocalBroker, logger: Logger): OnChange {
	const failed = (error: Error) =>
		logger.debug({ err: error.message }, 'a change of a sensor between online and offline could not be announced');
	return (event, isReported, device) => {
		bus?.announce(CHANNELS.devices, JSON.stringify(event)).catch(failed);
		if (isReported) return;
		local
			.publish({
				topic: `${TOPICS.status}/${event.sensorId}`,
				payload: Buffer.from(event.state),
				qos: 1,
				retain: true,
				...(device !== undefined && { device }),
			})
			.catch(failed);
	};
}
