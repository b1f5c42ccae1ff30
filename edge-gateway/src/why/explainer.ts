/** Explains what happened to messages: the answer of `why`. */
import { type Reading, VERDICTS, type Verdict } from '@crowdvision/contracts';
import { sampleOf } from '../payload.ts';
import { concerns, type Rejected } from '../rejected/rejected.ts';
import { matchesFilter } from '../topics/topic-filter.ts';
import type { RecordedFrame, Recorder } from '../trace/recorder.ts';
import type { Trace } from '../trace/trace.ts';
import type { Explanation, MessageReport, Question, Visible } from './explanation.ts';
import { domainsOf, failureReports, iso, lostAs, refusalReport, stage, withEvents } from './message-report.ts';
import { readingReport, SEARCHED_READINGS, type StoredReadingParts, storedReports } from './stored-readings.ts';

/** What `Explainer` reads. */
export interface ExplainerParts extends StoredReadingParts {
	rejected: Rejected;
	recorder: Recorder;
	trace: Trace;
	/**
	 * What is wrong with ports, listeners and connections, as texts. `about`: the sensor, topic or device asked about.
	 */
	troubles: (about: string | undefined) => string[];
}

/**
 * How many readings after a recorded frame's log offset are searched for its own: readings that arrived while the frame
 * was decoded come before them.
 */
const SEARCHED_AFTER_FRAME = 200;

/**
 * Explains what happened to messages, from what the gateway has anyway: the log and its cursors, the rejected list, the
 * recorded frames and the trace.
 */
export class Explainer {
	readonly #parts: ExplainerParts;

	constructor(parts: ExplainerParts) {
		this.#parts = parts;
	}

	/** Answers a question with at most `limit` messages, of those that are visible to the caller. */
	async explain(question: Question, limit: number, visible: Visible): Promise<Explanation> {
		const found =
			question.id === undefined
				? await this.#messages(question, limit, visible)
				: await this.#byId(question.id, visible);
		// Of one message, what was refused comes before what was stored: it needs somebody.
		const messages = found.sort((a, b) => b.at - a.at || urgency(b) - urgency(a)).slice(0, limit);
		const [newest] = messages;
		const about = question.sensor ?? question.sender ?? question.topic;
		const verdict = newest?.verdict ?? 'not_received';
		const none =
			`No message${about === undefined ? '' : ` of ${about}`} is among the last ${SEARCHED_READINGS} readings, ` +
			'the refused messages and the recorded messages.';
		return {
			question,
			verdict,
			text: newest?.text ?? none,
			hint: newest?.todo ?? VERDICTS[verdict].todo,
			troubles: this.#parts.troubles(about),
			messages,
		};
	}

	async #messages(question: Question, limit: number, visible: Visible): Promise<MessageReport[]> {
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
		const stored = await storedReports(question, times, limit, this.#parts, visible);
		for (const report of stored) report.stages = withEvents(report, events);
		const reports = [
			...stored,
			...refused.map((rejection) => refusalReport(rejection, events)),
			...failureReports(events),
		];
		const reported = new Set(reports.map(({ at, transport }) => `${transport} ${at}`));
		const unreported = frames.filter(({ at, transport }) => !reported.has(`${transport} ${at}`));
		const ofFrames = await this.#ofFrames(unreported, limit);
		return [...reports, ...ofFrames.filter(({ domains }) => visible(domains))];
	}

	async #byId(id: string, visible: Visible): Promise<MessageReport[]> {
		const { log, trace } = this.#parts;
		const offset = id.startsWith(`${log.id}-`) ? Number(id.slice(log.id.length + 1)) : Number.NaN;
		if (!Number.isSafeInteger(offset) || offset < 0 || offset >= log.nextOffset) return [];
		const { records } = await log.read(offset, { maxRecords: 1 });
		const [record] = records;
		if (record?.offset === offset) {
			const reading = JSON.parse(record.payload.toString()) as Reading;
			const report = readingReport(record.offset, reading, this.#parts);
			if (!visible(report.domains)) return [];
			return [{ ...report, stages: withEvents(report, trace.events({ sensor: report.sensorId })) }];
		}
		const lost = await this.#lost(offset);
		if (!visible([])) return [];
		if (!lost) return [unknownReading(id)];
		return [{ at: 0, id, ...lost, stages: [stage('stored', 'ok'), stage('stored', 'lost', lost.text)], domains: [] }];
	}

	/** Reports recorded frames of which no report was found by name, the newest `limit` of them. */
	async #ofFrames(frames: readonly RecordedFrame[], limit: number): Promise<MessageReport[]> {
		const latest = new Map(
			frames.map((frame) => [`${frame.at} ${frame.source} ${frame.raw.toString('latin1')}`, frame]),
		);
		const reports = await Promise.all([...latest.values()].slice(-limit).map((frame) => this.#ofFrame(frame)));
		// Two frames of the same moment may have found the same readings.
		return [
			...new Map(
				reports.flat().map((report) => [`${report.id} ${report.source} ${report.at} ${report.sample}`, report]),
			).values(),
		];
	}

	/** Reports the readings of a recorded frame that do not carry the name asked for, or else the frame itself. */
	async #ofFrame(frame: RecordedFrame): Promise<MessageReport[]> {
		const { log, trace } = this.#parts;
		const { records } = await log.read(frame.from, { maxRecords: SEARCHED_AFTER_FRAME });
		const sameMoment = records
			.map(({ offset, payload }) => ({ offset, reading: JSON.parse(payload.toString()) as Reading }))
			.filter(({ reading }) => reading.receivedAt === frame.at && reading.transport === frame.transport);
		const named = sameMoment.filter(({ reading }) => isAbout(frame, { sensor: reading.sensorId }));
		// The readings of a decoded frame need not carry any name of the frame. If frames were deferred or lost at that
		// moment, such a reading may be of another frame.
		const onlyNamed =
			named.length > 0 || trace.outageAt(frame.at) !== undefined || (await this.#lost(frame.from)) !== undefined;
		const readings = onlyNamed ? named : sameMoment;
		return readings.length > 0
			? readings.map(({ offset, reading }) => readingReport(offset, reading, this.#parts))
			: [await this.#unstored(frame)];
	}

	/** Reports a recorded frame that has no reading in the log. */
	async #unstored(frame: RecordedFrame): Promise<MessageReport> {
		const { log, trace } = this.#parts;
		const { at, transport, source, sender, raw, from } = frame;
		const received = `received ${iso(at)}`;
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
			return { ...base, id: `${log.id}-${from}`, verdict: lost.verdict, text: `${received}, ${lost.text}`, stages };
		}
		const outage = trace.outageAt(at);
		if (outage) {
			const verdict = outage.code === 'log_full' ? 'overflow' : 'disk';
			stages.push(stage('stored', 'deferred', outage.message));
			const text = `${received}, and its sender was told to send it again: ${outage.message}`;
			return { ...base, verdict, text, stages };
		}
		const events = trace.events({}).filter((one) => one.at === at && one.transport === transport);
		const [failure] = failureReports(events.filter((one) => one.source === source));
		if (failure) return { ...failure, ...base };
		const text = `${received}; it is being written to disk, or its sender has given up`;
		return { ...base, verdict: 'on_its_way', text, stages };
	}

	/** Why the log has no record at an offset; undefined if it has one or nothing was lost. */
	async #lost(offset: number): Promise<{ verdict: Verdict; text: string } | undefined> {
		const { log } = this.#parts;
		const { gaps } = await log.read(offset, { maxRecords: 1 });
		return lostAs(gaps.find(({ from, to }) => from <= offset && offset <= to)?.reason ?? log.missing(offset));
	}
}

/** Whether a report is of something that was refused. */
const urgency = ({ stages }: MessageReport) => (stages.some(({ outcome }) => outcome === 'refused') ? 1 : 0);

/** Whether a recorded frame matches a question: its topic, its sender, or any mention of the sensor. */
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

/** The report of an id that was assigned but of which the log knows nothing. */
function unknownReading(id: string): MessageReport {
	const text =
		'The gateway assigned this id, but the log has no reading with it: every consumer had it and it was removed, ' +
		'or it was never written.';
	return { at: 0, id, verdict: 'delivered', text, stages: [], domains: [] };
}
