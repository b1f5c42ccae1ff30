/** Notes of what decoders tell of a message beside its readings. */
import type { MetricLookup } from '@crowdvision/contracts';
import type { ActiveRule } from '../decode/decoders.ts';
import { unknownInShortForm } from '../decode/formats/canonical.ts';
import type { Decoded } from '../decode/message/candidate.ts';
import type { Decoding, Message } from '../decode/message/decoder.ts';
import { proposedMetrics, proposedRule } from '../decode/proposal.ts';
import type { SensorNames } from '../devices/sensor-names.ts';
import type { Frame } from '../frame.ts';
import { count, type Tally } from '../ledger/tally.ts';
import type { CodecWarnings } from '../trace/codec-warnings.ts';
import type { UnknownFields } from '../trace/unknown-fields.ts';
import type { FrameTrace } from './frame-trace.ts';
import { named } from './named.ts';

/** Where notes are kept. */
export interface Notes {
	unknownFields?: UnknownFields;
	codecWarnings?: CodecWarnings;
}

/** What the notes are made with. */
export interface NoteParts extends Notes {
	names: SensorNames | undefined;
	follow: FrameTrace;
	catalog: MetricLookup;
}

/** Where such a message came from. */
interface NotedIn {
	frame: Frame;
	tally: Tally;
	rule: ActiveRule;
}

/**
 * Notes what a decoder told of a message beside its result: keys that no rule reads, and warnings. Returns what the
 * result is now.
 */
export function noteDecoded(
	message: Message,
	from: NotedIn,
	result: Decoding | Error,
	parts: NoteParts,
): Decoding | Error {
	noteWarnings(message, from, result, parts);
	return result instanceof Error ? result : noteUnknownFields(message, from, result, parts);
}

/** A sentence about a message, with what a codec warned of in it. */
export function withWarnings(text: string, { warnings = [] }: Frame): string {
	return warnings.length === 0 ? text : `${text}; its codec warns: "${warnings.join('", "')}"`;
}

/**
 * Notes and counts a message with keys that look like measures and were not read. Returns what it is now:
 * `unknown_field` instead of `no_metric` or `no_value`. One with readings counts once more, as ignored, for what
 * was not read of it.
 */
function noteUnknownFields(
	{ unknown: fields = [], receivedAt }: Message,
	{ frame, tally, rule }: NotedIn,
	decoding: Decoding,
	parts: NoteParts,
): Decoding {
	const isRead = Array.isArray(decoding);
	if (fields.length === 0 || !(isRead || decoding === 'no_metric' || decoding === 'no_value')) return decoding;
	const decoded = isRead ? decoding : [];
	const report = parts.unknownFields?.note({
		source: frame.source,
		domainName: frame.sender.domainName,
		sensorIds: sensorsIn(decoded, { frame, rule }, parts),
		fields,
		propose: (all) => proposedRule(rule.config, all, parts.catalog),
	});
	if (isRead) {
		tally.received += 1;
		count(tally.ignored, 'unknown_field');
		return decoding;
	}
	if (report) {
		const detail = withWarnings(report().text, frame);
		parts.follow.note(frame, receivedAt, 'decoded', { outcome: 'unknown_field', detail, todo: () => report().todo });
	}
	return 'unknown_field';
}

const OWN_ADVICE =
	'If a key is misspelt, correct the device. To store it, define it in gateway.yaml, beside the metrics there are, ' +
	'and check units and ranges:';

/**
 * Notes and counts a frame in the gateway's own short form with keys that look like measures and are no metrics.
 * Returns the decoding as it is.
 */
export function noteOwn(
	{ frame, tally }: Pick<NotedIn, 'frame' | 'tally'>,
	decoding: Decoding,
	parts: NoteParts,
): Decoding {
	if (!Array.isArray(decoding) || frame.parts) return decoding;
	const fields = unknownInShortForm(frame.parsed, parts.catalog);
	if (fields.length === 0) return decoding;
	parts.unknownFields?.note({
		source: frame.source,
		domainName: frame.sender.domainName,
		sensorIds: new Set(
			decoding.flatMap(({ candidate: { sensorId } }) => (typeof sensorId === 'string' ? [sensorId] : [])),
		),
		fields,
		propose: (all) => proposedMetrics(all, parts.catalog),
		advice: OWN_ADVICE,
	});
	tally.received += 1;
	count(tally.ignored, 'unknown_field');
	return decoding;
}

/** Notes and counts what a codec warned of, with the sensors of which the message has readings. */
function noteWarnings(
	{ warnings = [] }: Message,
	{ frame, rule }: NotedIn,
	decoding: Decoding | Error,
	parts: NoteParts,
): void {
	if (warnings.length === 0) return;
	frame.warnings = warnings;
	const decoded = Array.isArray(decoding) ? decoding : [];
	parts.codecWarnings?.note({
		source: frame.source,
		domainName: frame.sender.domainName,
		sensorIds: sensorsIn(decoded, { frame, rule }, parts),
		rule: rule.name,
		warnings,
	});
}

/** The sensors of decoded readings, by the ids that they keep. */
function sensorsIn(
	decoded: readonly Decoded[],
	{ frame, rule: { defaults } }: Pick<NotedIn, 'frame' | 'rule'>,
	{ names }: NoteParts,
): Set<string> {
	const ids = decoded.map((one) => {
		const { sensorId } = named(one, frame, names).candidate;
		return sensorId ?? defaults.sensorId ?? frame.context.onlySensorId;
	});
	return new Set(ids.filter((id) => typeof id === 'string'));
}
