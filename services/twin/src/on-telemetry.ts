import { type Bus, consumeReadings, type StreamedReading, type Subscription } from '@crowdvision/bus';
import { freshMs, isOf, type Reading, STREAMS } from '@crowdvision/contracts';
import { type Counter, type Logger, StreamProgress } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import { buildingGeneration, roomGeneration, storedUnder } from './buildings/building-document.ts';
import type { Buildings } from './buildings/buildings.ts';

const STREAM = STREAMS.telemetry;
/** The generation of readings of a building that does not exist: they are kept, and shown to nobody. */
const NOBODY = '-';
/**
 * Name of this process in the group: the same in every replica and after a restart, so that a new leader first gets
 * what the previous one had not acknowledged.
 */
const MEMBER = 'twin-1';

export interface TelemetryParts {
	bus: Bus;
	readings: Readings;
	buildings: Pick<Buildings, 'all'>;
	logger: Logger;
	/** Counts stored readings, repetitions included. */
	stored: Counter;
}

/**
 * Stores readings under the generations of their rooms, so that no building or room shows those of an earlier one.
 * Readings are acknowledged when they are stored, so a process that dies in between gets them again, and stores them
 * once. A store restored from a backup gets the readings since then again, as far as the stream still holds them.
 */
export async function followTelemetry({
	bus,
	readings,
	buildings,
	logger,
	stored,
}: TelemetryParts): Promise<Subscription> {
	const progress = new StreamProgress(bus, STREAM, () => readings.progress(STREAM), logger);
	const take = async (batch: StreamedReading[]) => {
		for (const { gap, position } of batch) {
			if (gap !== undefined) logger.warn({ gap, position }, 'readings are missing: their gateway had to drop them');
		}
		// A redelivered batch must not move the progress back.
		const position = progress.later(await progress.current(), batch.at(-1)!.position);
		await readings.insert(
			await placed(batch, buildings),
			{ stream: STREAM, position },
			{
				holdMs: Math.max(...batch.map(({ reading: { metric } }) => freshMs(metric))),
				after: (a, b) => progress.isAfter(a, b),
			},
		);
		progress.moved(position);
		stored.inc(batch.length);
	};
	return consumeReadings(bus, 'twin', { member: MEMBER, from: await progress.current() }, take);
}

/**
 * The readings with the ids under which their rooms are stored. Most name the generation of their room; those that do
 * not count for the room that has their id now, if they belong to it.
 */
async function placed(
	batch: readonly StreamedReading[],
	buildings: Pick<Buildings, 'all'>,
): Promise<{ reading: Reading; position: string }[]> {
	const unmarked = batch.filter(({ reading }) => reading.generation === undefined);
	const known = await buildings.all([...new Set(unmarked.map(({ reading }) => reading.buildingId))]);
	return batch.flatMap(({ reading, position }) => {
		const { roomId, generation } = reading;
		const storedAs = (key: string | undefined) => ({
			reading: { ...reading, roomId: storedUnder(roomId, key) },
			position,
		});
		if (generation !== undefined) return storedAs(generation);
		const building = known.get(reading.buildingId);
		const room = building?.rooms.some(({ id }) => id === roomId) ? roomGeneration(building, roomId) : undefined;
		// Whoever makes a building of this id later must not find what others' devices sent for it before.
		if (!building && reading.senderDomain !== undefined) return storedAs(NOBODY);
		if (!building || !room) return storedAs(undefined);
		return isOf(reading, { ...building, ...buildingGeneration(building) }, room) ? storedAs(room.generation) : [];
	});
}
