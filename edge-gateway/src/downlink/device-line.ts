import { COMMAND_OUTCOMES, type CommandAnswer, type CommandOutcome } from '@crowdvision/contracts';

const LONGEST_DETAIL = 1024;

/** The ids of the sensors that a message of a device speaks of, as far as it is in the gateway's own format. */
export function* sensorsIn(parsed: unknown): Iterable<string> {
	for (const item of Array.isArray(parsed) ? parsed : [parsed]) {
		const { sensorId } = (item ?? {}) as { sensorId?: unknown };
		if (typeof sensorId === 'string') yield sensorId;
	}
}

/**
 * What the callback of a Socket.IO device was given. What is no answer is none: the device is broken, and the command
 * failed.
 */
export function answerOf(value: unknown): Omit<CommandAnswer, 'id'> {
	const { ok, outcome, detail } = (value ?? {}) as { ok?: unknown; outcome?: unknown; detail?: unknown };
	const told = typeof detail === 'string' ? { detail: detail.slice(0, LONGEST_DETAIL) } : {};
	if (isOutcome(outcome)) return { outcome, ...told };
	return { outcome: ok === true ? 'executed' : 'failed', ...told };
}

function isOutcome(value: unknown): value is CommandOutcome {
	return COMMAND_OUTCOMES.some((outcome) => outcome === value);
}
