import type { Bus } from '@crowdvision/bus';
import { CHANNELS, TOPICS } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { OnChange } from '../devices/availability.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';

/**
 * Tells on the bus that a sensor came or went; and on the local broker, as its retained `status/{sensorId}`, where its
 * device has not said so there itself.
 */
export function announcing(bus: Bus | undefined, local: LocalBroker, logger: Logger): OnChange {
	const failed = (error: Error) => logger.debug({ err: error.message }, 'that a device came or went was not announced');
	return (event, said) => {
		bus?.announce(CHANNELS.devices, JSON.stringify(event)).catch(failed);
		if (said) return;
		local
			.publish({ topic: `${TOPICS.status}/${event.sensorId}`, payload: Buffer.from(event.state), qos: 1, retain: true })
			.catch(failed);
	};
}
