import type { IncomingReading } from '@crowdvision/contracts';
import type { DedupKey } from '@crowdvision/log';

/**
 * What recognizes a reading that is delivered again, or undefined where it has no seq. The metric is part of the source, so that one
 * message with several metrics may use one seq.
 */
export function dedupKey(reading: IncomingReading, buildingId: string, roomId: string): DedupKey | undefined {
	if (reading.seq === undefined) return undefined;
	const content = `${reading.value}|${reading.unit ?? ''}|${reading.observedAt ?? ''}|${buildingId}|${roomId}`;
	// Well formed, because it is compared with what was written as UTF-8.
	return { source: `${reading.sensorId} ${reading.metric}`, boot: reading.boot?.toWellFormed() ?? '', seq: reading.seq, hash: fnv1a(content) };
}

/** FNV-1a over UTF-16 code units, 32 bits. */
function fnv1a(text: string): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
	return hash >>> 0;
}
