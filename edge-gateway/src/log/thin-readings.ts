/**
 * Thins readings when the log is nearly full (policy `thin`): the last, the lowest and the highest of each sensor and
 * minute stay, and those of a door take over the crossings of those that go. Exceptional readings (a correction, a
 * counter that began again) stay as they are.
 */
import { generationKey } from '@crowdvision/contracts';
import type { Thin } from '@crowdvision/log';

/** The part of a reading that thinning needs. */
interface Thinnable {
	sensorId: string;
	metric: string;
	value: number;
	buildingId: string;
	roomId: string;
	observedAt: number;
	era?: number;
	crossings?: Crossings;
}

interface Crossings {
	in: number;
	out: number;
}

/** Indices in the segment. */
interface Minute {
	last: number;
	lowest: number;
	highest: number;
}

const MINUTE_MS = 60_000;

export const thin: Thin = (payloads) => {
	const readings = payloads.map(readingOf);
	const minutes = new Map<string, Minute>();
	const stays = new Set<number>();
	for (const [index, reading] of readings.entries()) {
		if (!reading) {
			stays.add(index);
			continue;
		}
		const key = `${doorOf(reading)} ${reading.era ?? ''} ${Math.floor(reading.observedAt / MINUTE_MS)}`;
		const minute = minutes.get(key);
		if (!minute) minutes.set(key, { last: index, lowest: index, highest: index });
		else {
			if (reading.observedAt >= readings[minute.last]!.observedAt) minute.last = index;
			if (reading.value < readings[minute.lowest]!.value) minute.lowest = index;
			if (reading.value >= readings[minute.highest]!.value) minute.highest = index;
		}
	}
	for (const { last, lowest, highest } of minutes.values()) stays.add(last).add(lowest).add(highest);
	if (payloads.length > 0) stays.add(payloads.length - 1);

	const carried = carriedCrossings(readings, stays);
	return payloads.map((payload, index) => {
		if (!stays.has(index)) return 'drop';
		const crossings = carried.get(index);
		if (!crossings) return 'keep';
		const reading = JSON.parse(payload.toString()) as { crossings: Crossings };
		return { payload: JSON.stringify({ ...reading, crossings: { ...reading.crossings, ...crossings } }) };
	});
};

/**
 * The crossings of the readings that stay: their own, and those since the last reading of the same door that stays; the
 * last one of a door also takes those after it.
 */
function carriedCrossings(
	readings: readonly (Thinnable | undefined)[],
	stays: ReadonlySet<number>,
): Map<number, Crossings> {
	const carried = new Map<number, Crossings>();
	const open = new Map<string, Crossings>();
	const lastKept = new Map<string, number>();
	for (const [index, reading] of readings.entries()) {
		if (!reading?.crossings) continue;
		const door = doorOf(reading);
		const since = open.get(door);
		const sum = { in: reading.crossings.in + (since?.in ?? 0), out: reading.crossings.out + (since?.out ?? 0) };
		if (!stays.has(index)) open.set(door, sum);
		else {
			if (since) carried.set(index, sum);
			open.delete(door);
			lastKept.set(door, index);
		}
	}
	for (const [door, left] of open) {
		const index = lastKept.get(door)!;
		const own = carried.get(index) ?? readings[index]!.crossings!;
		carried.set(index, { in: own.in + left.in, out: own.out + left.out });
	}
	return carried;
}

function doorOf({ sensorId, metric, buildingId, roomId, crossings }: Thinnable): string {
	return `${sensorId} ${metric} ${crossings ? 'x' : ''} ${buildingId} / ${roomId}`;
}

/** Undefined for a record that is no reading, and for an exceptional reading. */
function readingOf(payload: Buffer): Thinnable | undefined {
	let value: unknown;
	try {
		value = JSON.parse(payload.toString());
	} catch {
		return undefined;
	}
	if (typeof value !== 'object' || value === null) return undefined;
	const {
		sensorId,
		metric,
		value: number,
		buildingId,
		roomId,
		observedAt,
		crossings,
		era,
		generation,
	} = value as Partial<Thinnable> & { generation?: string };
	if ('adjustment' in value || (crossings && ('detected' in crossings || 'clamped' in crossings))) return undefined;
	const texts = [sensorId, metric, buildingId, roomId];
	if (!texts.every((text) => typeof text === 'string') || typeof number !== 'number' || typeof observedAt !== 'number')
		return undefined;
	const counted = crossings && typeof crossings.in === 'number' && typeof crossings.out === 'number';
	if (crossings !== undefined && !counted) return undefined;
	return {
		sensorId: sensorId!,
		metric: metric!,
		value: number,
		buildingId: buildingId!,
		// Rooms that had an id one after the other are different rooms.
		roomId: generationKey(roomId!, generation),
		observedAt,
		...(era !== undefined && { era }),
		...(counted && { crossings: { in: crossings.in, out: crossings.out } }),
	};
}
