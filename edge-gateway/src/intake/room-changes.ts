/** Counts what a door reports in the rooms that it changes. */
import { generationKey, isDoorMetric } from '@crowdvision/contracts';
import type { CountedFields } from '../normalize/reading-encoder.ts';
import { type RoomEffect, roomEffectsOf } from '../occupancy/doors.ts';
import type { Applied, Occupancy } from '../occupancy/occupancy.ts';
import { crossedAt, startedAt } from '../occupancy/room-count.ts';
import type { Checked } from './reading-validator.ts';

/** A door's reading as it changed the count of one room. */
export interface RoomChange {
	/** To be confirmed when its record is stored, or else undone. */
	applied: Applied;
	/** People in the room after it: the value of the record. */
	count: number;
	fields: CountedFields;
}

/** A reading that is no door's changes no room, and makes one record. */
const NO_EFFECT: readonly undefined[] = [undefined];

/** The rooms whose counts a reading changes: a record for each. Undefined for the only record of any other reading. */
export function effectsOf({ incoming, roomId, door }: Checked): readonly (RoomEffect | undefined)[] {
	return isDoorMetric(incoming.metric) ? roomEffectsOf(incoming.metric, roomId, door) : NO_EFFECT;
}

/**
 * Counts a door's reading in one room. It counts at once, as the next reading builds on it.
 * @param generation of the room
 * @param record where its record will stand in the log, and when it came
 */
export function countPeople(
	occupancy: Occupancy,
	item: Checked,
	{ direction, roomId }: RoomEffect,
	generation: string | undefined,
	record: { offset: number; receivedAt: number },
): RoomChange {
	const { receivedAt } = record;
	const { sensorId, seq, boot, uptime } = item.incoming;
	const isTotal = item.door?.cumulative;
	const crossing = { door: sensorId, direction, seq, boot, ...crossedAt(item, receivedAt) };
	const applied = occupancy.apply(
		item.buildingId,
		generationKey(roomId, generation),
		isTotal
			? { ...crossing, kind: 'total', total: item.value, startedAt: startedAt(receivedAt, uptime) }
			: { ...crossing, kind: 'crossings', count: item.value, receivedAt, restated: item.restated },
		record,
	);
	const { count, detected, clamped, interval } = applied;
	const crossings = {
		in: applied.in,
		out: applied.out,
		...(isTotal && (direction === 'in' ? { totalIn: item.value } : { totalOut: item.value })),
		...(detected && { detected }),
		...(clamped > 0 && { clamped }),
	};
	return { applied, count, fields: { interval, crossings } };
}
