import type { LocalMessage } from '../../sources/mqtt/broker/local-broker.ts';

/**
 * Encodes a local message as a record of a bridge's own log: a line of JSON, then the payload unchanged.
 *
 *   {"t":topic,"q":qos,"r":retain,"o":origin,"p":[ids of the gateways it came through]}\n payload
 */
export function encodeRaw({ topic, payload, qos, retain, origin, path }: LocalMessage): Buffer {
	const head = JSON.stringify({
		t: topic,
		q: qos,
		...(retain && { r: 1 }),
		...(origin !== undefined && { o: origin }),
		...(path && { p: path }),
	});
	return Buffer.concat([Buffer.from(`${head}\n`), payload]);
}

/** Decodes what `encodeRaw` returned. @throws SyntaxError for anything else */
export function decodeRaw(record: Buffer): LocalMessage {
	const end = record.indexOf('\n');
	const { t, q, r, o, p } = JSON.parse(record.toString('utf8', 0, end)) as {
		t: string;
		q: 0 | 1 | 2;
		r?: 1;
		o?: string;
		p?: string[];
	};
	return {
		topic: t,
		payload: record.subarray(end + 1),
		qos: q,
		retain: r === 1,
		...(o !== undefined && { origin: o }),
		...(p && { path: p }),
	};
}
