/** Writes the samples of a metric as CSV, for spreadsheets. */
import { holdMs, type MetricLookup, STREAMS } from '@crowdvision/contracts';
import type { Readings } from '@crowdvision/store';
import { storedRoomId } from '../buildings/building-document.ts';
import type { BuildingDocument } from '../store.ts';
import { samplePages } from './sample-pages.ts';

const END = '\r\n';
/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** The rooms and the time to export. */
export interface ExportQuery {
	/** As the building names them. */
	roomIds: readonly string[];
	metric: string;
	/** Epoch ms; `to` is not included. */
	from: number;
	to: number;
}

/**
 * The lines of a CSV document (RFC 4180), page by page: the header, then the samples of each room and sensor in order
 * of time. Where a value was no longer current before the next one came, or before `now`, a line without a value says
 * so.
 * @param now epoch ms
 */
export async function* exportLines(
	{ readings, catalog }: { readings: Readings; catalog: MetricLookup },
	building: BuildingDocument,
	{ roomIds, metric, from, to }: ExportQuery,
	now: number,
): AsyncGenerator<string> {
	yield `at,room,sensor,value,unit${END}`;
	const { latest } = await readings.latest(STREAMS.telemetry, building.id);
	const { unit } = catalog.describe(metric);
	for (const room of roomIds) {
		const roomId = storedRoomId(building, room);
		const sensors = latest.filter((sensor) => sensor.metric === metric && sensor.roomId === roomId);
		for (const { sensorId } of sensors) {
			const line = (at: number, value: number | '') =>
				`${[new Date(at).toISOString(), room, sensorId, value, unit].map(cell).join(',')}${END}`;
			let currentUntil = Number.POSITIVE_INFINITY;
			const of = { buildingId: building.id, roomId, metric, sensorId };
			for await (const page of samplePages(readings, of, { from, to })) {
				let text = '';
				for (const { observedAt, value, freshFor } of page) {
					if (observedAt > currentUntil) text += line(currentUntil, '');
					text += line(observedAt, value);
					currentUntil = observedAt + holdMs(metric, freshFor);
				}
				if (text !== '') yield text;
			}
			if (currentUntil < Math.min(to, now)) yield line(currentUntil, '');
		}
	}
}

/** A text that a spreadsheet would compute is marked as a text. */
function cell(value: string | number): string {
	if (typeof value === 'number') return String(value);
	const text = FORMULA.test(value) ? `'${value}` : value;
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
