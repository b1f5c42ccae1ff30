/** The error for a reading whose sensor has no known place, and what the quarantine records of it. */
import { CrowdVisionError, type Problem, type Transport } from '@crowdvision/contracts';
import type { Sender } from '../normalize/identify.ts';
import type { Sighting } from './quarantine.ts';

/** A reading was refused because the place of its sensor is unknown. */
export class UnknownSensorError extends CrowdVisionError {
	readonly sensorId: string;
	readonly metric: string;
	/** The same for the message's other sensors, each once, where it is refused as a whole. */
	others: readonly UnknownSensorError[] = [];

	constructor(sensorId: string, metric: string, { path, message }: Problem, index: number) {
		super('unknown_sensor', `reading ${index}: ${path} ${message}`, { index, path });
		this.sensorId = sensorId;
		this.metric = metric;
	}
}

/** What the quarantine records about the sensor of a refused reading. `at` is in epoch ms. */
export function sightingOf(
	frame: { transport: Transport; source: string; raw: Buffer; sender: Sender | undefined },
	{ sensorId, metric }: UnknownSensorError,
	at: number,
): Sighting {
	const { transport, source, raw, sender } = frame;
	return {
		sensorId,
		transport,
		source,
		sender: sender?.id ?? source,
		...(sender?.domainName !== undefined && { domainName: sender.domainName }),
		...(sender?.buildingId !== undefined && { buildingId: sender.buildingId }),
		metric,
		raw,
		at,
	};
}
