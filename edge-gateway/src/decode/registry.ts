import { decodeCanonical } from './formats/canonical.ts';
import { decodeCbor } from './formats/cbor.ts';
import { decodeChirpstack } from './formats/chirpstack.ts';
import { decodeSenml } from './formats/senml.ts';
import { decodeShelly } from './formats/shelly.ts';
import { type Publish, SparkplugDecoder } from './formats/sparkplug.ts';
import { decodeTasmota } from './formats/tasmota.ts';
import { decodeTheThingsStack } from './formats/the-things-stack.ts';
import { decodeZigbee2mqtt } from './formats/zigbee2mqtt.ts';
import { JsonataDecoder } from './jsonata/jsonata.ts';
import { type Decoder, stateless } from './message/decoder.ts';
import { parseJson } from './message/json.ts';

/** What a decoder may be given when it is opened. */
export interface OpenWith {
	/** The mapping of a rule that has one. */
	mapping: string;
	publish: Publish;
}

/** A format as a rule names it and as docs/decoders.md lists it. */
interface Format {
	/** What it is, and the standard or product it is of. */
	is: string;
	/** The topic filter it usually has, where there is one. */
	topic?: string;
	open(parts: OpenWith): Decoder;
}

/** Every format there is. A new one is a file beside this and a line here. */
export const FORMATS = {
	canonical: { is: "the gateway's own JSON", open: () => stateless(({ raw }) => decodeCanonical(parseJson(raw), {})) },
	cbor: { is: "the gateway's own format as CBOR (RFC 8949)", open: () => stateless(decodeCbor) },
	senml: { is: 'SenML (RFC 8428), JSON or CBOR', open: () => stateless(decodeSenml) },
	'sparkplug-b': { is: 'Sparkplug B 3.0', topic: 'spBv1.0/#', open: ({ publish }) => new SparkplugDecoder(publish) },
	zigbee2mqtt: { is: 'Zigbee2MQTT', topic: 'zigbee2mqtt/#', open: () => stateless(decodeZigbee2mqtt) },
	tasmota: { is: 'Tasmota, SENSOR telemetry', topic: 'tele/+/SENSOR', open: () => stateless(decodeTasmota) },
	shelly: { is: 'Shelly, second generation and later', topic: '+/events/rpc', open: () => stateless(decodeShelly) },
	'the-things-stack': {
		is: 'The Things Stack v3, uplinks',
		topic: 'v3/+/devices/+/up',
		open: () => stateless(decodeTheThingsStack),
	},
	chirpstack: {
		is: 'ChirpStack v4, uplinks and battery',
		topic: 'application/+/device/+/event/+',
		open: () => stateless(decodeChirpstack),
	},
	jsonata: { is: 'any JSON, by a JSONata mapping of your own', open: ({ mapping }) => new JsonataDecoder(mapping) },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** Content types of `POST /ingest` that need no rule. */
export const CONTENT_TYPES: Readonly<Record<string, FormatName>> = {
	'application/senml+json': 'senml',
	'application/senml+cbor': 'senml',
};
