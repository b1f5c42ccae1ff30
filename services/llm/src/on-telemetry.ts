import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Bus, consumeReadings, type Subscription } from '@crowdvision/bus';
import type { Knowledge } from './knowledge/knowledge.ts';

export interface TelemetryParts {
	bus: Bus;
	knowledge: Knowledge;
}

/** Stores the latest values from the readings of the stream. Several processes share the readings between them. */
export function followTelemetry({ bus, knowledge }: TelemetryParts): Promise<Subscription> {
	const member = `${hostname()}-${randomBytes(4).toString('hex')}`;
	return consumeReadings(bus, 'llm', { member }, (readings) => knowledge.learn(readings.map(({ reading }) => reading)));
}
