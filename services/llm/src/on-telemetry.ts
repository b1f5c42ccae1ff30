import type { Bus, Subscription } from '@crowdvision/bus';
import { CrowdVisionError, reading, STREAMS } from '@crowdvision/contracts';
import type { Knowledge } from './knowledge/knowledge.ts';

/** Learns the latest values from the stream. A reading that is none is an error, and the bus sets it aside. */
export function followTelemetry(bus: Bus, member: string, knowledge: Knowledge): Promise<Subscription> {
	return bus.consume(STREAMS.telemetry, 'llm', { member }, async (entries) => {
		const readings = entries.map(({ data }) => {
			const value: unknown = JSON.parse(data);
			if (reading.check(value)) return value;
			throw new CrowdVisionError('invalid_reading', `what came on ${STREAMS.telemetry} is no reading`);
		});
		await knowledge.learn(readings);
	});
}
