import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Reading, VERDICTS, type Verdict } from '@crowdvision/contracts';
import { type LogFolder, type LogRecord, readLogFolder } from '@crowdvision/log';
import { Registry } from '../registry.ts';
import { concerns, rejectionOf } from '../rejected/rejected.ts';
import { matchesFilter } from '../topics/topic-filter.ts';
import { type Explanation, type MessageReport, ofTenant, type Question, type Visible } from '../why/explanation.ts';
import { domainsOf, lostAs, refusalReport } from '../why/message-report.ts';
import { ownersOf } from '../why/stored-readings.ts';

const MAX_MESSAGES = 20;
const MAX_SEARCHED_RECORDS = 50_000;

/**
 * The answer of a gateway that does not run, read from its data folder: which readings are stored and who has them, and
 * which messages were refused. Changes nothing.
 * @param domain whose messages; default: everybody's
 */
export async function whyOffline(dataDir: string, question: Question, domain?: string): Promise<Explanation> {
	const dir = join(dataDir, 'gateway');
	const stopped = existsSync(dir)
		? 'no gateway runs on this data folder'
		: `there is no data folder of a gateway at ${dir}`;
	const log = readLogFolder(join(dir, 'log'));
	const registry = Registry.open(join(dir, 'registry'));
	const visible = ofTenant(domain);
	const found = [
		...stored(log, question, registry, visible),
		...(question.id === undefined ? refused(dir, question, visible) : []),
	];
	const messages = found.sort((a, b) => b.at - a.at).slice(0, MAX_MESSAGES);
	const verdict: Verdict = messages[0]?.verdict ?? 'not_received';
	const text = messages[0]?.text ?? 'It is neither in the log nor among the refused messages.';
	return { question, verdict, text, hint: VERDICTS[verdict].todo, troubles: [stopped], messages };
}

function refused(dir: string, { sensor, topic }: Question, visible: Visible): MessageReport[] {
	const reports: MessageReport[] = [];
	for (const record of readLogFolder(join(dir, 'rejected')).newestFirst()) {
		if (reports.length >= MAX_MESSAGES) break;
		const rejection = rejectionOf(record);
		if (
			!rejection ||
			!visible(domainsOf(rejection.domainName)) ||
			(sensor !== undefined && !concerns(rejection, sensor)) ||
			(topic !== undefined && !matchesFilter(topic, rejection.source))
		)
			continue;
		reports.push(refusalReport(rejection));
	}
	return reports;
}

function stored(
	log: LogFolder,
	{ id, sensor, topic }: Question,
	registry: Pick<Registry, 'building'>,
	visible: Visible,
): MessageReport[] {
	// A reading's topic is not stored, but the gateway's own topics end in the sensor.
	const levels = topic?.split('/');
	const wanted = sensor ?? (levels?.[0] === 'telemetry' ? levels[3] : undefined);
	const reports: MessageReport[] = [];
	let searched = 0;
	for (const record of log.newestFirst()) {
		if (++searched > MAX_SEARCHED_RECORDS || reports.length >= MAX_MESSAGES) break;
		const reading = JSON.parse(record.payload.toString()) as Reading;
		if (id === undefined ? wanted === undefined || reading.sensorId !== wanted : reading.id !== id) continue;
		const domains = ownersOf(reading, registry);
		if (visible(domains)) reports.push({ ...reportOf(log, record, reading), domains });
	}
	if (id === undefined || reports.length > 0 || !log.id || !id.startsWith(`${log.id}-`)) return reports;
	const lost = lostAs(log.missing(Number(id.slice(log.id.length + 1))));
	return lost && visible([]) ? [{ at: 0, id, ...lost, stages: [], domains: [] }] : [];
}

function reportOf(log: LogFolder, { offset }: LogRecord, reading: Reading): Omit<MessageReport, 'domains'> {
	const { id, sensorId, metric, value, unit, receivedAt, transport } = reading;
	const consumers = Object.entries(log.cursors);
	const waiting = consumers.filter(([, position]) => position <= offset).map(([name]) => name);
	const verdict: Verdict = waiting.length === 0 ? 'delivered' : 'on_its_way';
	const where =
		waiting.length === 0 ? 'every consumer has it' : `${waiting.join(', ')} did not have it when the gateway stopped`;
	return {
		at: receivedAt,
		transport,
		sensorId,
		id,
		verdict,
		text: `${metric} ${value} ${unit}, received ${new Date(receivedAt).toISOString()}: stored as ${id}; ${where}`,
		stages: [
			{ stage: 'received', outcome: 'ok', at: receivedAt },
			{ stage: 'stored', outcome: 'ok', detail: `as ${id}` },
			...consumers.map(([name, position]) => ({
				stage: 'delivered' as const,
				outcome: position > offset ? 'ok' : 'waiting',
				detail: name,
			})),
		],
	};
}
