/** Where frames come from, for the counts that say what a configuration can be blamed for. */
import type { Availability } from '../devices/availability.ts';
import type { Completion, Frame, Refused } from '../frame.ts';
import type { Origin, Regressions } from '../ledger/regressions.ts';

/** The source of a frame, and the rule or port that reads it. */
function originOf({ transport, source, port, decodeBy, sender }: Refused): Origin {
	const ofPort = port === undefined ? undefined : `${transport} ${port}`;
	return {
		source: `${transport} ${source} ${sender?.id ?? ''}`,
		part: decodeBy ? `decoder ${decodeBy.rule.name}` : ofPort,
	};
}

/** `onDurable`, which first notes that a rule or a port still yields readings. Other frames are the hot path. */
export function notingTaken(frame: Frame, regressions: Regressions, onDurable: Completion): Completion {
	if ((frame.decodeBy === undefined && frame.port === undefined) || frame.replayOf !== undefined) return onDurable;
	return (error, accepted) => {
		if (!error && accepted > 0) regressions.took(originOf(frame));
		onDurable(error, accepted);
	};
}

/** Notes a message that is refused as a whole; of a known sensor it counts as lost. */
export function noteRefused(
	frame: Refused,
	sensorId: string | undefined,
	regressions: Regressions,
	availability: Pick<Availability, 'of'> | undefined,
): void {
	const domain = frame.sender?.domainName;
	const isKnown = availability
		?.of(sensorId ?? '')
		.some(({ metric, domainName }) => metric !== undefined && (domainName ?? domain) === domain);
	regressions.refused(originOf(frame), sensorId === undefined ? undefined : isKnown ? 'known' : 'new');
}
