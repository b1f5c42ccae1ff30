import { type Bus, consumeReadings, type Subscription } from '@crowdvision/bus';
import type { Alert } from '@crowdvision/contracts';
import type { SerialQueue } from '@crowdvision/service-kit';
import type { RuleEvaluator } from './evaluation/rule-evaluator.ts';

export interface TelemetryParts {
	bus: Bus;
	evaluator: RuleEvaluator;
	queue: SerialQueue;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	onAlerts: (alerts: Alert[]) => void;
}

/**
 * The leader's name in the group. There is one leader at a time, and a new one first gets what the previous one had not
 * acknowledged: under a name of its own it would get that much later, after newer readings.
 */
const MEMBER = 'on-duty';

/** Evaluates the rules for each batch of readings. The batch is acknowledged once its effects are stored. */
export function followTelemetry({ bus, evaluator, queue, now, onAlerts }: TelemetryParts): Promise<Subscription> {
	return consumeReadings(bus, 'notification', { member: MEMBER }, (readings) =>
		queue.run(async () => onAlerts(await evaluator.observe(readings, now()))),
	);
}
