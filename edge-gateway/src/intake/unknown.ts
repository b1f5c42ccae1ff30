import type { MetricLookup } from '@crowdvision/contracts';
import type { ActiveRule } from '../decode/decoders.ts';
import type { Decoding, Message } from '../decode/message/decoder.ts';
import { proposedRule } from '../decode/proposal.ts';
import type { Frame } from '../frame.ts';
import { count, type Tally } from '../ledger/tally.ts';
import type { UnknownFields } from '../trace/unknown-fields.ts';
import type { FrameTrace } from './frame-trace.ts';

/** What the notes are made with. */
export interface UnknownParts {
	unknownFields: UnknownFields | undefined;
	follow: FrameTrace;
	catalog: MetricLookup;
}

/** Where such a message came from. */
interface UnknownIn {
	frame: Frame;
	tally: Tally;
	rule: ActiveRule;
}

/**
 * Notes and counts a message with keys that look like measures and were not read. Returns what it is now:
 * `unknown_field` instead of `no_metric` or `no_value`. One with readings counts once more, as ignored, for what
 * was not read of it.
 */
export function noteUnknownFields(
	{ unknown: fields = [], receivedAt }: Message,
	{ frame, tally, rule }: UnknownIn,
	decoding: Decoding,
	parts: UnknownParts,
): Decoding {
	const isRead = Array.isArray(decoding);
	if (fields.length === 0 || !(isRead || decoding === 'no_metric' || decoding === 'no_value')) return decoding;
	const decoded = isRead ? decoding : [];
	const report = parts.unknownFields?.note({
		at: receivedAt,
		source: frame.source,
		domainName: frame.sender.domainName,
		sensorIds: new Set(decoded.flatMap(({ candidate }) => sensorIn(candidate, frame, rule))),
		fields,
		propose: (all) => proposedRule(rule.config, all, parts.catalog),
	});
	if (isRead) {
		tally.received += 1;
		count(tally.ignored, 'unknown_field');
		return decoding;
	}
	if (report) {
		const detail = report().text;
		parts.follow.note(frame, receivedAt, 'decoded', { outcome: 'unknown_field', detail, todo: () => report().todo });
	}
	return 'unknown_field';
}

function sensorIn({ sensorId }: Record<string, unknown>, { context }: Frame, { defaults }: ActiveRule): string[] {
	const id = sensorId ?? defaults.sensorId ?? context.onlySensorId;
	return typeof id === 'string' ? [id] : [];
}
