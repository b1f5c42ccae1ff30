import type { Bus } from '@crowdvision/bus';
import { CHANNELS, TOPICS } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { OnChange } from '../devices/availability.ts';
import type { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import type { TenantTopics } from '../topics/tenant-topics.ts';

/**
 * Returns a listener that announces each change of a sensor's state on the bus, and on the local broker as its retained
 * `status/{sensorId}`, unless the device itself has published it there.
 */
export function announceAvailability(
	bus: Bus | undefined,
	local: LocalBroker,
	topics: TenantTopics,
	logger: Logger,
): OnChange {
	const failed = (error: Error) =>
		logger.debug({ err: error.message }, 'a change of a sensor between online and offline could not be announced');
	return (event, isReported, { device, domainName }) => {
		bus?.announce(CHANNELS.devices, JSON.stringify(event)).catch(failed);
		if (isReported) return;
		local
			.publish({
				topic: `${TOPICS.status}/${topics.nameOf(event.sensorId, domainName)}`,
				payload: Buffer.from(event.state),
				qos: 1,
				retain: true,
				...(device !== undefined && { device }),
			})
			.catch(failed);
	};
}

/**
 * Removes the retained states that an earlier version left under the ids alone of sensors that have other topics now
 * (see TenantTopics); their present states are announced there.
 */
export async function removeFormerStates(
	sensors: readonly { sensorId: string; domainName: string | undefined }[],
	topics: TenantTopics,
	local: LocalBroker,
	isRetained: (topic: string) => boolean,
): Promise<void> {
	const [home, elsewhere] = [new Set<string>(), new Set<string>()];
	for (const { sensorId, domainName } of sensors)
		(topics.nameOf(sensorId, domainName) === sensorId ? home : elsewhere).add(sensorId);
	for (const sensorId of elsewhere) {
		const topic = `${TOPICS.status}/${sensorId}`;
		if (!home.has(sensorId) && isRetained(topic))
			await local.publish({ topic, payload: Buffer.alloc(0), qos: 1, retain: true });
	}
}
