/** Reads what devices send as far as commands are concerned: the sensors of a message, and answers over Socket.IO. */
import { COMMAND_OUTCOMES, type CommandAnswer, type CommandOutcome } from '@crowdvision/contracts';

/** Longest detail of an answer that is kept, in characters. */
export const MAX_DETAIL = 1024;

/** The sensor ids that a message in the gateway's own format names. */
export function* sensorsIn(parsed: unknown): Iterable<string> {
	for (const item of Array.isArray(parsed) ? parsed : [parsed]) {
		const { sensorId } = (item ?? {}) as { sensorId?: unknown };
		if (typeof sensorId === 'string') yield sensorId;
	}
}

/**
 * Reads the argument with which a Socket.IO device called back. Anything else than an answer means that the device is
 * broken and the command failed.
 */
export function answerOf(value: unknown): Omit<CommandAnswer, 'id'> {
	const { ok, outcome, detail } = (value ?? {}) as { ok?: unknown; outcome?: unknown; detail?: unknown };
	const rest = typeof detail === 'string' ? { detail: detail.slice(0, MAX_DETAIL) } : {};
	if (isOutcome(outcome)) return { outcome, ...rest };
	return { outcome: ok === true ? 'executed' : 'failed', ...rest };
}

function isOutcome(value: unknown): value is CommandOutcome {
	return COMMAND_OUTCOMES.some((outcome) => outcome === value);
}
