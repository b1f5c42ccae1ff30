import type { CrowdVisionError } from '@crowdvision/contracts';
import type { Candidate } from '../decode/message/candidate.ts';
import type { Refused } from '../frame.ts';
import type { Refusal } from './rejected.ts';

/** What the rejected list stores about a refused frame. `now` is in epoch ms. */
export function refusalOf(frame: Refused, { code, message, details }: CrowdVisionError, now: number): Refusal {
	const { transport, source, port, sender, raw, context, contentType, receivedAt = now, parsed, decoding } = frame;
	const { index = 0 } = details;
	const reading = Array.isArray(decoding)
		? decoding.find((one) => one.index === index)?.candidate
		: readingIn(parsed, index);
	const sensorId =
		context?.sensorId ?? sensorIdIn(reading) ?? frame.decodeBy?.rule.defaults.sensorId ?? context?.onlySensorId;
	const refusal = {
		at: receivedAt,
		transport,
		source,
		port,
		sender,
		sensorId,
		code,
		message,
		path: details.path,
		raw,
		context,
		contentType,
	};
	// Serial bytes alone do not have the members that the port's configuration adds.
	return transport === 'serial' && parsed !== undefined ? { ...refusal, value: parsed } : refusal;
}

/** The reading at `index` of a batch, or the single reading. */
const readingIn = (parsed: unknown, index: number): unknown => (Array.isArray(parsed) ? parsed[index] : parsed);

function sensorIdIn(reading: unknown): string | undefined {
	const sensorId = typeof reading === 'object' && reading !== null ? (reading as Candidate).sensorId : undefined;
	return typeof sensorId === 'string' ? sensorId.slice(0, 128) : undefined;
}
