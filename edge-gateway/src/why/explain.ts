import type * as api from '@crowdvision/contracts';
import {
	freshMs,
	type Reading,
	type Rejection,
	type Stage,
	type StageReport,
	VERDICTS,
	type Verdict,
} from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import { sampleOf } from '../payload.ts';
import type { Registry } from '../registry.ts';
import { concerns, type Rejected } from '../rejected/rejected.ts';
import { matchesFilter } from '../topics/topic-filter.ts';
import type { RecordedFrame, Recorder } from '../trace/recorder.ts';
import type { Trace, TraceEvent, TraceFilter } from '../trace/trace.ts';
import { verdictOfRefusal } from './verdict-of.ts';

/** What is asked about. One of them at least is given, or the newest of everything is meant. */
export interface Question extends TraceFilter {
	/** Of a reading. */
	id?: string | undefined;
}

/** What became of one message, or of one reading of it. */
export interface MessageReport extends api.MessageReport {
	/** Domains whose staff may see it. */
	domains: readonly string[];
}

/** The answer before it is reduced to what the asking account may see. */
export interface Explanation extends Omit<api.Explanation, 'question' | 'messages'> {
	question: Question;
	messages: MessageReport[];
}

/** A consumer of the log as far as an explanation goes. */
export interface ConsumerState {
	/** Of its cursor. */
	cursor: string;
	stage: 'relayed' | 'bridged' | 'delivered';
	/** Such as `Redis`, or `bridge campus`. */
	name: string;
	/** Undefined while it is well. */
	trouble?: { since: number; reason: string } | undefined;
}

export interface ExplainParts {
	log: Log;
	registry: Pick<Registry, 'building'>;
	rejected: Rejected;
	recorder: Recorder;
	trace: Trace;
	consumers: () => ConsumerState[];
	/** Bridges that carry raw messages and are away, and how many wait for each. */
	waitingBridges: () => { name: string; since: number; reason: string; queued: number }[];
	/** What else is wrong: of a port, a listener, a device. `about`: the sensor, topic or device in question. */
	troubles: (about: string | undefined) => string[];
}

/** How far back readings of a sensor are looked for in the log. */
const LOOKED_THROUGH = 50_000;
const PAGE = 2000;
/**
 * And how far behind where a frame's first reading may stand: between them are those that came while it was decoded.
 */
const LOOKED_NEARBY = 200;

/**
 * Finds out what became of messages, from what the gateway keeps anyway: log, cursors, refusals, the recorded frames
 * and what the trace has noted.
 */
export class Explainer {
	readonly #parts: ExplainParts;

	constructor(parts: ExplainParts) {
		this.#parts = parts;
	}

	/** `visible` says of a message's domains whether the asker may see it; at most `limit` messages. */
	async explain(
		question: Question,
		limit: number,
		visible: (domains: readonly string[]) => boolean,
	): Promise<Explanation> {
		const found =
			question.id === undefined
				? await this.#messages(question, limit, visible)
				: await this.#byId(question.id, visible);
		const messages = found.sort((a, b) => b.at - a.at).slice(0, limit);
		const [newest] = messages;
		const about = question.sensor ?? question.sender ?? question.topic;
		const troubles = this.#parts.troubles(about);
		const verdict = newest?.verdict ?? 'not_received';
		const nothing = `Nothing ${about === undefined ? '' : `of ${about} `}is among the last ${LOOKED_THROUGH} readings, the refused and the recorded messages.`;
		return { question, verdict, text: newest?.text ?? nothing, hint: VERDICTS[verdict].todo, troubles, messages };
	}

	async #messages(
		question: Question,
		limit: number,
		visible: (domains: readonly string[]) => boolean,
	): Promise<MessageReport[]> {
		const { rejected, trace, recorder } = this.#parts;
		const { sensor, ...ways } = question;
		const refused = await rejected.list(
			{ ...ways, state: 'all' },
			limit,
			(rejection) => (sensor === undefined || concerns(rejection, sensor)) && visible(domainsOf(rejection.domainName)),
		);
		const events = trace.events(question).filter(({ domainName }) => visible(domainsOf(domainName)));
		const frames = recorder
			.frames()
			.filter((frame) => isAbout(frame, question) && visible(domainsOf(frame.sender?.domainName)));
		const times = sensor === undefined ? new Set([...frames, ...events].map(({ at }) => at)) : undefined;
		const stored = (await this.#stored(question, times, limit)).filter(({ domains }) => visible(domains));
		for (const report of stored) report.stages = withNotes(report, events);
		const reports = [...stored, ...refused.map((rejection) => refusalReport(rejection, events)), ...unhappy(events)];
		const known = new Set(reports.map(({ at, transport }) => `${transport} ${at}`));
		const rest = frames.filter(({ at, transport }) => !known.has(`${transport} ${at}`));
		const latest = new Map(rest.map((frame) => [`${frame.at} ${frame.source} ${frame.raw.toString('latin1')}`, frame]));
		const others = await Promise.all([...latest.values()].slice(-limit).map((frame) => this.#ofFrame(frame)));
		// Two frames of one moment may have found the same readings.
		const each = new Map(
			others.flat().map((report) => [`${report.id} ${report.source} ${report.at} ${report.sample}`, report]),
		);
		return [...reports, ...[...each.values()].filter(({ domains }) => visible(domains))];
	}

	async #byId(id: string, visible: (domains: readonly string[]) => boolean): Promise<MessageReport[]> {
		const { log, trace } = this.#parts;
		const offset = id.startsWith(`${log.id}-`) ? Number(id.slice(log.id.length + 1)) : Number.NaN;
		if (!Number.isSafeInteger(offset) || offset < 0 || offset >= log.nextOffset) return [];
		const { records } = await log.read(offset, { maxRecords: 1 });
		const [record] = records;
		if (record?.offset === offset) {
			const report = this.#report(record.offset, JSON.parse(record.payload.toString()) as Reading);
			return visible(report.domains)
				? [{ ...report, stages: withNotes(report, trace.events({ sensor: report.sensorId })) }]
				: [];
		}
		const lost = await this.#lost(offset);
		if (!visible([])) return [];
		return [
			lost
				? { at: 0, id, ...lost, stages: [stage('stored', 'ok'), stage('stored', 'lost', lost.text)], domains: [] }
				: unwritten(id),
		];
	}

	/** Readings of a sensor or of these times, from the newest end of the log. */
	async #stored(
		{ sensor, sender }: Question,
		times: ReadonlySet<number> | undefined,
		limit: number,
	): Promise<MessageReport[]> {
		const { log } = this.#parts;
		if (sensor === undefined && sender === undefined && times !== undefined && times.size === 0) return [];
		const needle = sensor === undefined ? undefined : Buffer.from(`"sensorId":${JSON.stringify(sensor)}`);
		const found: MessageReport[] = [];
		const first = Math.max(log.startOffset, log.endOffset - LOOKED_THROUGH);
		for (let before = log.endOffset; before > first && found.length < limit; ) {
			const from = Math.max(first, before - PAGE);
			const { records } = await log.read(from, { maxRecords: before - from, maxBytes: 16 * 1024 * 1024 });
			for (const { offset, payload } of records.toReversed()) {
				if (offset >= before || found.length >= limit || (needle && !payload.includes(needle))) continue;
				const reading = JSON.parse(payload.toString()) as Reading;
				if (times && !times.has(reading.receivedAt)) continue;
				found.push(this.#report(offset, reading));
			}
			before = from;
		}
		return found;
	}

	#report(offset: number, reading: Reading): MessageReport {
		const { id, sensorId, metric, value, unit, buildingId, roomId, observedAt, receivedAt, transport } = reading;
		const stages: StageReport[] = [
			stage('received', 'ok', undefined, receivedAt),
			stage('normalized', 'ok', `${metric} ${value} ${unit} of ${buildingId}/${roomId}, observed ${iso(observedAt)}`),
			stage('judged', 'ok', 'new'),
			stage('stored', 'ok', `as ${id}`),
		];
		const { verdict, text } = this.#way(offset, reading, stages);
		return {
			at: receivedAt,
			transport,
			sensorId,
			id,
			verdict,
			text: `${metric} ${value} ${unit}, received ${iso(receivedAt)}: ${text}`,
			stages,
			domains: this.#parts.registry.building(buildingId)?.domains ?? [],
		};
	}

	/** Who has a stored reading, and who not. */
	#way(
		offset: number,
		{ metric, observedAt, receivedAt }: Reading,
		stages: StageReport[],
	): { verdict: Verdict; text: string } {
		const { log, consumers, waitingBridges } = this.#parts;
		const positions = log.cursors();
		const got: string[] = [];
		const waiting: { state: ConsumerState; text: string }[] = [];
		for (const state of consumers()) {
			if ((positions.get(state.cursor) ?? 0) > offset) {
				const at = log.tallies().get(state.cursor)?.deliveredAt(offset);
				stages.push(stage(state.stage, 'ok', state.name, at));
				got.push(at === undefined ? state.name : `${state.name} ${iso(at)}`);
				continue;
			}
			const { trouble } = state;
			const text = trouble
				? `${state.name} is away since ${iso(trouble.since)} (${trouble.reason})`
				: `${state.name} does not have it yet`;
			stages.push(stage(state.stage, 'waiting', text));
			waiting.push({ state, text });
		}
		for (const { name, since, reason, queued } of waitingBridges()) {
			if (queued === 0 || waiting.some(({ state }) => state.name === name)) continue;
			const text = `${name} is down since ${iso(since)} (${reason}), ${queued} messages wait for it`;
			stages.push(stage('bridged', 'waiting', text));
			waiting.push({ state: { cursor: '', stage: 'bridged', name, trouble: { since, reason } }, text });
		}
		const away = waiting.filter(({ state }) => state.trouble);
		const worst =
			away.find(({ state }) => state.stage === 'relayed') ??
			away.find(({ state }) => state.stage === 'bridged') ??
			away[0] ??
			waiting[0];
		if (worst) {
			const verdict = !worst.state.trouble
				? 'on_its_way'
				: worst.state.stage === 'bridged'
					? 'bridge_down'
					: 'redis_away';
			return { verdict, text: `stored, but ${waiting.map(({ text }) => text).join('; ')}` };
		}
		const where =
			got.length > 0 ? `delivered to ${got.join(', ')}` : 'stored; nobody is configured to get it from here';
		if (receivedAt - observedAt <= freshMs(metric)) return { verdict: 'delivered', text: where };
		const minutes = Math.round((receivedAt - observedAt) / 60_000);
		return {
			verdict: 'late',
			text: `${where}, but observed ${minutes} minutes before it came: in the history, not the live value`,
		};
	}

	/**
	 * A frame that nothing was found of by name, such as one of a device that is not called as its sensors: its readings,
	 * where there are any.
	 */
	async #ofFrame(frame: RecordedFrame): Promise<MessageReport[]> {
		const { log, trace } = this.#parts;
		const { records } = await log.read(frame.from, { maxRecords: LOOKED_NEARBY });
		const sameMoment = records
			.map(({ offset, payload }) => ({ offset, reading: JSON.parse(payload.toString()) as Reading }))
			.filter(({ reading }) => reading.receivedAt === frame.at && reading.transport === frame.transport);
		const named = sameMoment.filter(({ reading }) => isAbout(frame, { sensor: reading.sensorId }));
		// What a decoder makes of a frame need not be called as anything in it. Where frames were given up at that moment,
		// it may be another's.
		const certain =
			named.length > 0 || trace.outageAt(frame.at) !== undefined || (await this.#lost(frame.from)) !== undefined;
		const readings = certain ? named : sameMoment;
		return readings.length > 0
			? readings.map(({ offset, reading }) => this.#report(offset, reading))
			: [await this.#unsettled(frame)];
	}

	/** A frame that came in, and of which nothing else is known. */
	async #unsettled(frame: RecordedFrame): Promise<MessageReport> {
		const { log, trace } = this.#parts;
		const { at, transport, source, sender, raw, from } = frame;
		const came = `received ${iso(at)}`;
		const stages = [stage('received', 'ok', `${raw.length} bytes`, at)];
		const base = {
			at,
			transport,
			source,
			...(sender && { sender: sender.id }),
			sample: sampleOf(raw),
			domains: domainsOf(sender?.domainName),
		};
		const lost = await this.#lost(from);
		if (lost) {
			stages.push(stage('stored', 'lost', lost.text));
			return { ...base, id: `${log.id}-${from}`, verdict: lost.verdict, text: `${came}, ${lost.text}`, stages };
		}
		const spell = trace.outageAt(at);
		if (spell) {
			const verdict = spell.code === 'log_full' ? 'overflow' : 'disk';
			stages.push(stage('stored', 'deferred', spell.message));
			return { ...base, verdict, text: `${came}, and its sender was told to come again: ${spell.message}`, stages };
		}
		return {
			...base,
			verdict: 'on_its_way',
			text: `${came}, and is on its way to the disk, or was given up by its sender`,
			stages,
		};
	}

	/** What is known of an offset that holds no record any more. */
	async #lost(offset: number): Promise<{ verdict: Verdict; text: string } | undefined> {
		const { log } = this.#parts;
		const { gaps } = await log.read(offset, { maxRecords: 1 });
		return lostAs(gaps.find(({ from, to }) => from <= offset && offset <= to)?.reason ?? log.missing(offset));
	}
}

/** What a gap's reason says of what stood there. */
export function lostAs(reason: string | undefined): { verdict: Verdict; text: string } | undefined {
	if (reason === undefined || reason === 'consumed') return undefined;
	if (reason === 'damaged') return { verdict: 'damaged', text: 'stored, and lost by damage of the disk' };
	const words: Record<string, string> = {
		'dropped-newest': 'and dropped at the door: the log was full, and its policy is drop-newest',
		'dropped-oldest': 'stored, and given up before everybody had it: the log was full, and its policy is drop-oldest',
		thinned:
			'stored, and thinned out before everybody had it: the log was full, and its policy is thin; what was kept of that minute stands for it',
		expired: 'stored, and expired before everybody had it: it was older than log.maxAge',
	};
	return { verdict: 'overflow', text: words[reason] ?? `stored, and given up before everybody had it (${reason})` };
}

export function refusalReport(rejection: Rejection, events: readonly TraceEvent[] = []): MessageReport {
	const { at, transport, source, sender, sensorId, message, sample, replayed, id, domainName } = rejection;
	const verdict = verdictOfRefusal(rejection);
	const hex =
		verdict === 'bad_frame'
			? ` (${sample.startsWith('hex ') ? sample : `hex ${Buffer.from(sample).toString('hex')}`})`
			: '';
	const after = replayed ? `; taken in after all by a replay ${iso(replayed.at)}` : '';
	const report: MessageReport = {
		at,
		transport,
		source,
		...(sender !== undefined && { sender }),
		...(sensorId !== undefined && { sensorId }),
		verdict,
		text: `received ${iso(at)} by ${source}, refused: ${message}${hex}${after}. It is number ${id} of the rejected list.`,
		sample,
		stages: [stage('received', 'ok', undefined, at), stage(refusedAt(verdict), 'refused', `${message}${hex}`)],
		domains: domainsOf(domainName),
	};
	return { ...report, stages: withNotes(report, events) };
}

function refusedAt(verdict: Verdict): Stage {
	if (verdict === 'bad_frame') return 'received';
	return verdict === 'not_decoded' || verdict === 'unknown_topic' ? 'decoded' : 'normalized';
}

const VERDICT_OF_EVENT: Partial<Record<TraceEvent['outcome'], Verdict>> = {
	duplicate: 'duplicate',
	ignored: 'no_reading',
	unauthenticated: 'not_allowed',
	rate_limited: 'rate_limited',
};

/** What went no further without a refusal that is listed. */
function unhappy(events: readonly TraceEvent[]): MessageReport[] {
	return events.flatMap((event) => {
		const verdict = VERDICT_OF_EVENT[event.outcome];
		if (!verdict) return [];
		const { at, transport, source, sender, sensorId, detail = '', domainName } = event;
		const report: MessageReport = {
			at,
			...(transport !== undefined && { transport }),
			...(source !== undefined && { source }),
			...(sender !== undefined && { sender }),
			...(sensorId !== undefined && { sensorId }),
			verdict,
			text: `received ${iso(at)}${source === undefined ? '' : ` by ${source}`}: ${detail}`,
			stages: [],
			domains: domainsOf(domainName),
		};
		return [{ ...report, stages: [stage('received', 'ok', undefined, at), stage(event.stage, event.outcome, detail)] }];
	});
}

/** A report's stages, those in their place that were noted while it was followed. */
function withNotes({ at, id, source, stages }: MessageReport, events: readonly TraceEvent[]): StageReport[] {
	const notes = events.filter(
		(event) =>
			event.at === at &&
			(id === undefined || event.id === undefined || event.id === id) &&
			(source === undefined || event.source === source),
	);
	const noted = new Map(
		notes
			.filter(({ outcome }) => outcome === 'ok')
			.map((event) => [event.stage, stage(event.stage, event.outcome, event.detail, at)]),
	);
	const rest = stages.filter((one) => one.outcome !== 'ok' || !noted.has(one.stage));
	return [...noted.values(), ...rest].sort((a, b) => ORDER.indexOf(a.stage) - ORDER.indexOf(b.stage));
}

const ORDER: Stage[] = ['received', 'decoded', 'normalized', 'judged', 'stored', 'relayed', 'bridged', 'delivered'];

function isAbout({ source, sender, raw }: RecordedFrame, { sensor, topic, sender: wanted }: Question): boolean {
	if (wanted !== undefined && sender?.id !== wanted) return false;
	if (topic !== undefined && !matchesFilter(topic, source)) return false;
	if (sensor === undefined) return true;
	return (
		source.split('/').includes(sensor) ||
		raw.includes(JSON.stringify(sensor)) ||
		sender?.id === sensor ||
		sender?.sensorIds?.has(sensor) === true
	);
}

function stage(name: Stage, outcome: string, detail?: string, at?: number): StageReport {
	return { stage: name, outcome, ...(at !== undefined && { at }), ...(detail !== undefined && { detail }) };
}

function unwritten(id: string): MessageReport {
	const text =
		'The gateway gave this id away, but no reading with it is in the log: it was delivered to everybody and let go, or never written.';
	return { at: 0, id, verdict: 'delivered', text, stages: [], domains: [] };
}

const domainsOf = (domainName: string | undefined): readonly string[] => (domainName === undefined ? [] : [domainName]);
const iso = (at: number) => new Date(at).toISOString();
