import { type Bus, consumeReadings, type Subscription } from '@crowdvision/bus';
import type { Knowledge } from './knowledge/knowledge.ts';

export interface TelemetryParts {
	bus: Bus;
	/** Name of this process in the group; the same after a restart. */
	member: string;
	knowledge: Knowledge;
}

/** Learns the latest values from the stream. */
export function followTelemetry({ bus, member, knowledge }: TelemetryParts): Promise<Subscription> {
	return consumeReadings(bus, 'llm', { member }, (readings) => knowledge.learn(readings.map(({ reading }) => reading)));
}
