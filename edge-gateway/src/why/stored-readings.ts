/** Finds readings in the log, and reports where they were delivered. */
import { generationKey, isOf, PLATFORM, type Proposal, type Reading, type StageReport } from '@crowdvision/contracts';
import type { Registry } from '../registry.ts';
import { type DeliveryParts, deliveryOf } from './delivery.ts';
import type { MessageReport, Question, Visible } from './explanation.ts';
import { domainsOf, iso, stage } from './message-report.ts';
import { type Remark, remarksOn } from './remarks.ts';

/** How many of the newest readings in the log are searched. */
export const SEARCHED_READINGS = 50_000;
const PAGE = 2000;
const PAGE_BYTES = 16 * 1024 * 1024;

/** What the reports of stored readings are made from. */
export interface StoredReadingParts extends DeliveryParts {
	registry: Pick<Registry, 'building'>;
	/** What the readings of a room's doors suggest to configure. */
	proposals: (buildingId: string, roomId: string) => Proposal[];
	/** What messages of a sensor in one of these domains held beside readings: what no rule reads, and warnings. */
	notesOf: (sensorId: string, domains: readonly string[]) => Remark[];
}

/**
 * Reports visible readings in the log, from the newest on, at most `limit`: those of the question's sensor, or those
 * received at one of `times` (epoch ms).
 */
export async function storedReports(
	{ sensor, sender }: Question,
	times: ReadonlySet<number> | undefined,
	limit: number,
	parts: StoredReadingParts,
	visible: Visible,
): Promise<MessageReport[]> {
	const { log } = parts;
	if (sensor === undefined && sender === undefined && times !== undefined && times.size === 0) return [];
	// Most readings are of another sensor; looking for its bytes is much faster than parsing.
	const needle = sensor === undefined ? undefined : Buffer.from(`"sensorId":${JSON.stringify(sensor)}`);
	const found: MessageReport[] = [];
	const first = Math.max(log.startOffset, log.endOffset - SEARCHED_READINGS);
	for (let before = log.endOffset; before > first && found.length < limit; ) {
		const from = Math.max(first, before - PAGE);
		const { records } = await log.read(from, { maxRecords: before - from, maxBytes: PAGE_BYTES });
		for (const { offset, payload } of records.toReversed()) {
			if (offset >= before || found.length >= limit || (needle && !payload.includes(needle))) continue;
			const reading = JSON.parse(payload.toString()) as Reading;
			if ((times && !times.has(reading.receivedAt)) || !visible(ownersOf(reading, parts.registry))) continue;
			found.push(readingReport(offset, reading, parts));
		}
		before = from;
	}
	return found;
}

/** Reports a reading that is in the log. */
export function readingReport(offset: number, reading: Reading, parts: StoredReadingParts): MessageReport {
	const { id, sensorId, metric, value, unit, buildingId, roomId, observedAt, receivedAt, transport } = reading;
	const { verdict, text, stages } = deliveryOf(offset, reading, parts);
	const before: StageReport[] = [
		stage('received', 'ok', undefined, receivedAt),
		stage('normalized', 'ok', `${metric} ${value} ${unit} of ${buildingId}/${roomId}, observed ${iso(observedAt)}`),
		stage('judged', 'ok', 'new'),
		stage('stored', 'ok', `as ${id}`),
	];
	const remarks = remarksOn(reading);
	for (const proposal of parts.proposals(buildingId, generationKey(roomId, reading.generation))) {
		if (proposal.sensorId !== sensorId) continue;
		remarks.push({ text: proposal.text, todo: `If it is, add to gateway.yaml:\n${proposal.configuration}` });
	}
	const domains = ownersOf(reading, parts.registry);
	remarks.push(...parts.notesOf(sensorId, domains));
	const todo = remarks.flatMap((remark) => remark.todo ?? []);
	return {
		at: receivedAt,
		transport,
		sensorId,
		id,
		verdict,
		text: [`${metric} ${value} ${unit}, received ${iso(receivedAt)}: ${text}`, ...remarks.map((one) => one.text)].join(
			'; ',
		),
		...(todo.length > 0 && { todo: [...new Set(todo)].join('\n') }),
		stages: [...before, ...stages],
		domains,
	};
}

/**
 * The domains of the building that a reading belongs to. A reading of a building that was removed concerns none of the
 * domains that may have its id now, so only admins of the platform see it; one of a building that was never known is
 * its sender's.
 */
export function ownersOf(reading: Reading, registry: StoredReadingParts['registry']): readonly string[] {
	const building = registry.building(reading.buildingId);
	if (!building) return reading.generation === undefined ? domainsOf(reading.senderDomain) : [PLATFORM];
	const room = building.rooms.find(({ id }) => id === reading.roomId);
	return isOf(reading, building, room) ? building.domains : [PLATFORM];
}
