/** The keys by which redelivered readings are recognized. */
import { type IncomingReading, isFirstGeneration } from '@crowdvision/contracts';
import type { DedupKey } from '@crowdvision/log';

/**
 * The key by which a redelivery of a reading is recognized; undefined without a `seq`. The metric is part of the
 * source, so that one message with several metrics may use one seq.
 * @param more.seriesId as `seriesIdOf`; default: the sensor's id
 * @param more.generation of the room: what was sent for an earlier room of its id is no redelivery
 */
export function dedupKey(
	reading: IncomingReading,
	buildingId: string,
	roomId: string,
	{ seriesId = reading.sensorId, generation }: { seriesId?: string; generation?: string | undefined } = {},
): DedupKey | undefined {
	if (reading.seq === undefined) return undefined;
	const { value, unit, observedAt } = reading;
	// Well-formed, because it is compared with text that was written as UTF-8.
	return {
		source: `${seriesId} ${reading.metric}`,
		boot: reading.boot?.toWellFormed() ?? '',
		seq: reading.seq,
		hash: contentHash(value, unit, observedAt, { buildingId, roomId, generation }),
	};
}

/** The hash of what a reading says, in 32 bits: of its value, unit and time as they were sent, and of its place. */
export function contentHash(
	value: number,
	unit: string | undefined,
	observedAt: number | string | undefined,
	{ buildingId, roomId, generation }: { buildingId: string; roomId: string; generation: string | undefined },
): number {
	let hash = mixNumber(OFFSET_BASIS, value);
	hash = mixText(hash, unit ?? '');
	if (observedAt !== undefined)
		hash = typeof observedAt === 'number' ? mixNumber(hash, observedAt) : mixText(hash, observedAt);
	hash = mixText(mixText(hash, buildingId), roomId);
	// A first generation may become known, or be given by an update, between a reading and its redelivery.
	if (generation !== undefined && !isFirstGeneration(generation)) hash = mixText(hash, generation);
	return hash >>> 0;
}

/** As `dedupKey`, for a reading without a `seq` in a refused message that is replayed, perhaps more than once. */
export function replayKey(reading: IncomingReading, refusal: number, index: number): DedupKey {
	return {
		source: `${reading.sensorId} ${reading.metric}`,
		boot: `refusal ${refusal}`,
		seq: index,
		hash: mixNumber(OFFSET_BASIS, reading.value) >>> 0,
	};
}

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/**
 * FNV-1a, 32 bits, over the two halves of a number. Not over its digits: to format them would cost more than everything
 * else here.
 */
function mixNumber(hash: number, value: number): number {
	number[0] = value;
	const mixed = Math.imul(Math.imul(hash ^ words[0]!, PRIME) ^ words[1]!, PRIME);
	return mixed ^ (mixed >>> 15);
}

/** FNV-1a over UTF-16 code units and an end mark. */
function mixText(hash: number, text: string): number {
	let mixed = hash;
	for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), PRIME);
	return Math.imul(mixed ^ 0xffff, PRIME);
}
