import type { Reading } from '@crowdvision/contracts';
import type { PlacedReading, Sample } from '../store.ts';
import { ROLL_UP_MS } from '../store.ts';
import type { World } from './conformance-world.ts';

/** Start of a period, epoch ms. */
export const BASE = 1_764_000_000_000;
if (BASE % ROLL_UP_MS !== 0) throw new Error('BASE must begin a period');

export const HOLD_MS = 5 * 60_000;
export const OF_HALL = { buildingId: 'museum', roomId: 'hall', metric: 'temperature' as const };

/** Reading n at position n of the stream: by default a temperature in the museum's hall, n seconds after BASE. */
export function placed(n: number, given: Partial<Reading> = {}): PlacedReading {
	const observedAt = BASE + n * 1000;
	return {
		position: String(n),
		reading: {
			...OF_HALL,
			id: `r-${n}`,
			sensorId: 't-1',
			value: n,
			unit: 'degC',
			observedAt,
			// Long after all that a test observes.
			receivedAt: 2 * BASE,
			gatewayId: 'pi',
			transport: 'mqtt',
			timeQuality: 'synced',
			...given,
		},
	};
}

/** Inserts a batch, with the progress at its last reading unless another is given. */
export function insert(
	{ store }: World,
	batch: readonly PlacedReading[],
	position = batch.at(-1)?.position ?? '0',
): Promise<void> {
	return store.readings.insert(
		batch,
		{ stream: 'telemetry', position },
		{ holdMs: HOLD_MS, after: (a, b) => Number(a) > Number(b) },
	);
}

export const samplesOf = ({ store }: World, buildingId = 'museum'): Promise<Sample[]> =>
	store.readings.samples({ ...OF_HALL, buildingId }, { from: 0, to: BASE * 2 }, 10_000);
