import { FORMATS, type FormatName } from '../decode/format-table.ts';
import type { Decoding } from '../decode/message/decoder.ts';
import { BUILT_IN, type Vocabulary } from '../decode/vendor/vocabulary.ts';
import { candidatesIn, message } from './messages.ts';

/** When the uplinks of these tests were received by their network server. */
export const UPLINK_TIME = '2026-11-28T11:59:58Z';

/** A message of a format, with the name that the rule's wildcards give it. */
export interface Sent {
	use: FormatName;
	topic: string;
	name?: string;
	payload: unknown;
}

/** A row of a test table: what it is, the message, and its readings as `readingsIn` shows them. */
export type Row = [what: string, sent: Sent, expected: string[]];

/** What the format's decoder makes of a message. */
export function decode({ use, topic, name, payload }: Sent, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const decoder = FORMATS[use].open({ mapping: '', publish: async () => undefined, vocabulary });
	return decoder.decode(message(topic, payload, name)) as Decoding;
}

/** `sensor metric value`, with the unit where the message names one and the time where it is not the uplink's. */
export function readingsIn(sent: Sent, vocabulary?: Vocabulary): string[] {
	return candidatesIn(decode(sent, vocabulary)).map(({ sensorId, metric, value, unit, observedAt }) =>
		[sensorId, metric, value, unit, observedAt === UPLINK_TIME ? undefined : observedAt]
			.filter((part) => part !== undefined)
			.join(' '),
	);
}

/** An uplink of device `dev-1` that The Things Stack has decoded. */
export function thingsUplink(decoded: object): Sent {
	return {
		use: 'the-things-stack',
		topic: 'v3/app@tenant/devices/dev-1/up',
		payload: {
			end_device_ids: { device_id: 'dev-1' },
			uplink_message: { session_key_id: 'AY', f_cnt: 7, received_at: UPLINK_TIME, decoded_payload: decoded },
		},
	};
}

/** An uplink of device `a84041` that ChirpStack has decoded. */
export function chirpstackUplink(object: object): Sent {
	return {
		use: 'chirpstack',
		topic: 'application/1/device/a84041/event/up',
		payload: { deviceInfo: { devEui: 'a84041' }, devAddr: '0018', fCnt: 7, time: UPLINK_TIME, object },
	};
}
