import { type Bus, consumeReadings, type StreamedReading, type Subscription } from '@crowdvision/bus';
import { freshMs, STREAMS } from '@crowdvision/contracts';
import { type Counter, type Logger, StreamProgress } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';

const STREAM = STREAMS.telemetry;

export interface TelemetryParts {
	bus: Bus;
	readings: Readings;
	logger: Logger;
	/** Name of this process in the group; the same after a restart. */
	member: string;
	/** Counts readings taken in, repetitions included. */
	taken: Counter;
}

/**
 * Stores readings, also those of buildings and rooms that are not registered yet: they show once somebody registers
 * them. Readings are acknowledged when they are stored, so a process that dies in between gets them again, and stores
 * them once. A store that was put back to a backup gets again what came after it, as far as the stream still holds it.
 */
export async function followTelemetry({ bus, readings, logger, member, taken }: TelemetryParts): Promise<Subscription> {
	const progress = new StreamProgress(bus, STREAM, () => readings.progress(STREAM), logger);
	const take = async (batch: StreamedReading[]) => {
		for (const { gap, position } of batch) {
			if (gap !== undefined) logger.warn({ gap, position }, 'readings are missing: their gateway could not keep them');
		}
		// What is given again does not move the progress back.
		const position = progress.later(await progress.current(), batch.at(-1)!.position);
		await readings.insert(
			batch,
			{ stream: STREAM, position },
			{
				holdMs: Math.max(...batch.map(({ reading: { metric } }) => freshMs(metric))),
				after: (a, b) => progress.isAfter(a, b),
			},
		);
		progress.moved(position);
		taken.inc(batch.length);
	};
	return consumeReadings(bus, 'twin', { member, from: await progress.current() }, take);
}
