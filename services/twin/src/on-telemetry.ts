import { type Bus, consumeReadings, type StreamedReading, type Subscription } from '@crowdvision/bus';
import { freshMs, STREAMS } from '@crowdvision/contracts';
import { type Counter, type Logger, StreamProgress } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';

const STREAM = STREAMS.telemetry;
/**
 * Name of this process in the group: the same in every replica and after a restart, so that a new leader first gets
 * what the previous one had not acknowledged.
 */
const MEMBER = 'twin-1';

export interface TelemetryParts {
	bus: Bus;
	readings: Readings;
	logger: Logger;
	/** Counts stored readings, repetitions included. */
	stored: Counter;
}

/**
 * Stores readings, also those of buildings and rooms that do not exist yet: they show once the building is created.
 * Readings are acknowledged when they are stored, so a process that dies in between gets them again, and stores them
 * once. A store restored from a backup gets the readings since then again, as far as the stream still holds them.
 */
export async function followTelemetry({ bus, readings, logger, stored }: TelemetryParts): Promise<Subscription> {
	const progress = new StreamProgress(bus, STREAM, () => readings.progress(STREAM), logger);
	const take = async (batch: StreamedReading[]) => {
		for (const { gap, position } of batch) {
			if (gap !== undefined) logger.warn({ gap, position }, 'readings are missing: their gateway had to drop them');
		}
		// A redelivered batch must not move the progress back.
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
		stored.inc(batch.length);
	};
	return consumeReadings(bus, 'twin', { member: MEMBER, from: await progress.current() }, take);
}
