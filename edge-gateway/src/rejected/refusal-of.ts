import type { CrowdVisionError } from '@crowdvision/contracts';
import type { Candidate } from '../decode/message/candidate.ts';
import { UnknownSensorError } from '../devices/unknown-sensor.ts';
import type { Refused } from '../frame.ts';
import type { Refusal } from './rejected.ts';

/** What the rejected list stores about a refused frame. `now` is in epoch ms. */
export function refusalOf(frame: Refused, error: CrowdVisionError, now: number): Refusal {
	const { code, message, details } = error;
	const { transport, source, port, sender, raw, context, contentType, receivedAt = now, parsed, decoding } = frame;
	const { index = 0 } = details;
	const reading = Array.isArray(decoding)
		? decoding.find((one) => one.index === index)?.candidate
		: readingIn(parsed, index);
	const sensorId =
		context?.sensorId ?? sensorIdIn(reading) ?? frame.decodeBy?.rule.defaults.sensorId ?? context?.onlySensorId;
	const others = error instanceof UnknownSensorError ? error.others : [];
	const strangers = others.length > 0 && sensorId !== undefined && [sensorId, ...others.map((one) => one.sensorId)];
	const refusal = {
		at: receivedAt,
		transport,
		source,
		port,
		sender,
		sensorId,
		...(strangers && { sensorIds: strangers }),
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
