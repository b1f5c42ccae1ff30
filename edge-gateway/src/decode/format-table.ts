/** The table of all formats that a rule can name, and the content types that need no rule. */
import { CodecDecoder, type CodecOptions } from './codec/codec.ts';
import { CodecRunner } from './codec/codec-runner.ts';
import { decodeCanonical, unknownInShortForm } from './formats/canonical.ts';
import { decodeCayenneLpp } from './formats/cayenne-lpp.ts';
import { decodeCbor } from './formats/cbor.ts';
import { decodeChirpstack } from './formats/chirpstack.ts';
import { SensorsBehindGateways, withLorawanPresence } from './formats/lorawan-presence.ts';
import { decodePeopleCounter } from './formats/people-counter.ts';
import { decodeSenml } from './formats/senml.ts';
import { decodeShelly } from './formats/shelly.ts';
import { type Publish, SparkplugDecoder } from './formats/sparkplug.ts';
import { decodeTasmota } from './formats/tasmota.ts';
import { decodeTheThingsStack } from './formats/the-things-stack.ts';
import { decodeZigbee2mqtt } from './formats/zigbee2mqtt.ts';
import { JsonataDecoder } from './jsonata/jsonata.ts';
import { type Decoder, stateless } from './message/decoder.ts';
import { parseJson } from './message/json.ts';
import type { Vocabulary } from './vendor/vocabulary.ts';

/** What a decoder may need when it is opened. */
export interface DecoderParts {
	/** The JSONata mapping of the rule; empty if it has none. */
	mapping: string;
	publish: Publish;
	/** The keys that the rule reads. */
	vocabulary: Vocabulary;
	/** Shared by all rules, as one for uplinks and one for gateways tell of the same devices; default: of its own. */
	behind?: SensorsBehindGateways;
	/** The codec of the rule; undefined if it has none. */
	codec?: CodecOptions | undefined;
	/** What runs codecs, one for all rules; default: of its own. */
	runner?: CodecRunner;
}

/** A format as docs/decoders.md lists it. */
interface Format {
	/** The standard or product. */
	description: string;
	/** The usual topic filter, if there is one. */
	topic?: string;
	/** Whether `rename` of a rule applies: the format has keys of a vendor. */
	renames?: true;
	open(parts: DecoderParts): Decoder;
}

/** Only a rule of `codec` without a codec has this one; the configuration refuses such a rule. */
const NO_CODEC: CodecOptions = { codec: { name: 'none', text: '' }, fPort: 1, variables: {} };

/** Every format, by the name that a rule uses. A new format is a file in `formats/` and an entry here. */
export const FORMATS = {
	canonical: {
		description: "the gateway's own JSON",
		open: ({ vocabulary: { metrics } }) =>
			stateless(({ raw, unknown }) => {
				const parsed = parseJson(raw);
				unknown?.push(...unknownInShortForm(parsed, metrics));
				return decodeCanonical(parsed, {}, metrics);
			}),
	},
	cbor: {
		description: "the gateway's own format as CBOR (RFC 8949)",
		open: ({ vocabulary }) => stateless((message) => decodeCbor(message, vocabulary)),
	},
	senml: {
		description: 'SenML (RFC 8428), JSON or CBOR',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodeSenml(message, vocabulary)),
	},
	'sparkplug-b': {
		description: 'Sparkplug B 3.0',
		topic: 'spBv1.0/#',
		renames: true,
		open: ({ publish, vocabulary }) => new SparkplugDecoder(publish, vocabulary),
	},
	zigbee2mqtt: {
		description: 'Zigbee2MQTT',
		topic: 'zigbee2mqtt/#',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodeZigbee2mqtt(message, vocabulary)),
	},
	tasmota: {
		description: 'Tasmota, SENSOR telemetry',
		topic: 'tele/+/SENSOR',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodeTasmota(message, vocabulary)),
	},
	shelly: {
		description: 'Shelly, second generation and later',
		topic: '+/events/rpc',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodeShelly(message, vocabulary)),
	},
	'the-things-stack': {
		description: 'The Things Stack v3, uplinks',
		topic: 'v3/+/devices/+/up',
		renames: true,
		open: ({ vocabulary, behind = new SensorsBehindGateways() }) =>
			withLorawanPresence(
				stateless((message) => decodeTheThingsStack(message, vocabulary)),
				behind,
			),
	},
	chirpstack: {
		description: 'ChirpStack v4, uplinks and battery',
		topic: 'application/+/device/+/event/+',
		renames: true,
		open: ({ vocabulary, behind = new SensorsBehindGateways() }) =>
			withLorawanPresence(
				stateless((message) => decodeChirpstack(message, vocabulary)),
				behind,
			),
	},
	'cayenne-lpp': {
		description: 'CayenneLPP bytes, also in uplinks of The Things Stack and ChirpStack',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodeCayenneLpp(message, vocabulary)),
	},
	'people-counter': {
		description: 'the push of people counters: Xovis, Milesight, Vivotek',
		renames: true,
		open: ({ vocabulary }) => stateless((message) => decodePeopleCounter(message, vocabulary)),
	},
	codec: {
		description: "bytes, by the vendor's own JavaScript codec (LoRaWAN TS013)",
		renames: true,
		open: ({ codec = NO_CODEC, runner = new CodecRunner(), vocabulary }) => new CodecDecoder(codec, vocabulary, runner),
	},
	jsonata: {
		description: 'any JSON or text, by a JSONata mapping of your own',
		open: ({ mapping, vocabulary: { metrics } }) => new JsonataDecoder(mapping, metrics),
	},
} as const satisfies Record<string, Format>;

/** The name of a format, as a rule uses it. */
export type FormatName = keyof typeof FORMATS;
/** Formats whose rules may rename a vendor's keys. */
export const RENAMING_FORMATS = (Object.keys(FORMATS) as FormatName[]).filter((name) => 'renames' in FORMATS[name]);
/** The names of all formats. */
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** Content types of `POST /ingest` that need no rule. */
export const CONTENT_TYPES: Readonly<Record<string, FormatName>> = {
	'application/senml+json': 'senml',
	'application/senml+cbor': 'senml',
};
