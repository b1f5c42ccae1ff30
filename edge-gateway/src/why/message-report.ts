/** Builds the reports of messages from refusals, from failures in the trace, and from gaps in the log. */
import { type Rejection, type Stage, type StageReport, tenantOf, type Verdict } from '@crowdvision/contracts';
import type { TraceEvent } from '../trace/trace.ts';
import type { MessageReport } from './explanation.ts';
import { verdictOfRefusal } from './verdict-of.ts';

/** The stages in order. */
const STAGES: Stage[] = ['received', 'decoded', 'normalized', 'judged', 'stored', 'relayed', 'bridged', 'delivered'];

const VERDICT_OF_EVENT: Partial<Record<TraceEvent['outcome'], Verdict>> = {
	duplicate: 'duplicate',
	ignored: 'no_reading',
	presence: 'presence',
	no_value: 'no_value',
	unknown_field: 'unknown_field',
	unauthenticated: 'not_allowed',
	rate_limited: 'rate_limited',
};

/** Why a reading is no longer in the log, by the reason of the gap. Continues the sentence "received …, ". */
const LOST: Readonly<Record<string, string>> = {
	'dropped-newest': 'but dropped on arrival, as the log was full and its policy is drop-newest',
	'dropped-oldest':
		'stored, but removed before every consumer had it, as the log was full and its policy is drop-oldest',
	thinned:
		'stored, but thinned out before every consumer had it, as the log was full and its policy is thin; ' +
		'the readings that were kept of that minute stand for it',
	expired: 'stored, but expired before every consumer had it, as it was older than log.maxAge',
};

/** Epoch ms as ISO 8601. */
export const iso = (at: number) => new Date(at).toISOString();

/** The domains of a message whose sender is of this domain. */
export const domainsOf = (domainName: string | undefined): readonly string[] =>
	domainName === undefined ? [] : [domainName];

/** One line of a report. `at` is in epoch ms. */
export function stage(name: Stage, outcome: string, detail?: string, at?: number): StageReport {
	return { stage: name, outcome, ...(at !== undefined && { at }), ...(detail !== undefined && { detail }) };
}

/** The report of a refused message, with the stages that the trace has of it. */
export function refusalReport(rejection: Rejection, events: readonly TraceEvent[] = []): MessageReport {
	const { at, transport, source, sender, sensorId, message, sample, replayed, id, domainName } = rejection;
	const verdict = verdictOfRefusal(rejection);
	const hex =
		verdict === 'bad_frame'
			? ` (${sample.startsWith('hex ') ? sample : `hex ${Buffer.from(sample).toString('hex')}`})`
			: '';
	const later = replayed ? `; accepted later by a replay at ${iso(replayed.at)}` : '';
	const report: MessageReport = {
		at,
		transport,
		source,
		...(sender !== undefined && { sender }),
		...(sensorId !== undefined && { sensorId }),
		verdict,
		text:
			`received ${iso(at)} by ${source}, ${refusedText(rejection)}: ${message}${hex}${later}. ` +
			`It has number ${id} in the rejected list.`,
		sample,
		stages: [stage('received', 'ok', undefined, at), stage(refusingStage(verdict), 'refused', `${message}${hex}`)],
		domains: domainsOf(domainName),
	};
	return { ...report, stages: withEvents(report, events) };
}

/** How much of a message was refused. */
function refusedText({ taken }: Rejection): string {
	if (taken === undefined) return 'refused';
	return `refused in part (${taken === 1 ? 'one reading of it is' : `${taken} readings of it are`} stored)`;
}

function refusingStage(verdict: Verdict): Stage {
	if (verdict === 'bad_frame') return 'received';
	return verdict === 'not_decoded' || verdict === 'unknown_topic' ? 'decoded' : 'normalized';
}

/** The reports of messages that failed without being in the rejected list. */
export function failureReports(events: readonly TraceEvent[]): MessageReport[] {
	return events.flatMap((event) => {
		const verdict = VERDICT_OF_EVENT[event.outcome];
		if (!verdict) return [];
		const { at, transport, source, sender, sensorId, detail = '', domainName, todo } = event;
		const report: MessageReport = {
			at,
			...(transport !== undefined && { transport }),
			...(source !== undefined && { source }),
			...(sender !== undefined && { sender }),
			...(sensorId !== undefined && { sensorId }),
			verdict,
			text: `received ${iso(at)}${source === undefined ? '' : ` by ${source}`}: ${detail}`,
			...(todo && { todo: todo() }),
			stages: [stage('received', 'ok', undefined, at), stage(event.stage, event.outcome, detail)],
			domains: domainsOf(domainName),
		};
		return [report];
	});
}

/** The stages of a report together with those that the trace recorded of its message, in order. */
export function withEvents(
	{ at, id, source, stages, domains }: MessageReport,
	events: readonly TraceEvent[],
): StageReport[] {
	const tenants = new Set(domains.map(tenantOf));
	const ofMessage = events.filter(
		(event) =>
			event.at === at &&
			// Another tenant's device may have sent for a sensor of this id at the same moment.
			(event.domainName === undefined || tenants.size === 0 || tenants.has(tenantOf(event.domainName))) &&
			(id === undefined || event.id === undefined || event.id === id) &&
			(source === undefined || event.source === source),
	);
	const recorded = new Map(
		ofMessage
			.filter(({ outcome }) => outcome === 'ok')
			.map((event) => [event.stage, stage(event.stage, event.outcome, event.detail, at)]),
	);
	const rest = stages.filter((one) => one.outcome !== 'ok' || !recorded.has(one.stage));
	return [...recorded.values(), ...rest].sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
}

/**
 * What happened to a reading that the log no longer has, by the reason of the gap. Undefined if nothing was lost:
 * without a gap, or if every consumer had it.
 */
export function lostAs(reason: string | undefined): { verdict: Verdict; text: string } | undefined {
	if (reason === undefined || reason === 'consumed') return undefined;
	if (reason === 'damaged') return { verdict: 'damaged', text: 'stored, but lost as the disk is damaged' };
	return {
		verdict: 'overflow',
		text: LOST[reason] ?? `stored, but removed before every consumer had it (${reason})`,
	};
}
