/** The decoder that has the vendor's own payload codec read the bytes of a device. */
import { readTimestamp } from '@crowdvision/contracts';
import { decodeChirpstack } from '../formats/chirpstack.ts';
import { decodeTheThingsStack } from '../formats/the-things-stack.ts';
import { lorawanReadings } from '../lorawan/payload.ts';
import { unknownInPayload } from '../lorawan/unknown.ts';
import { type Uplink, uplinkOf } from '../lorawan/uplink.ts';
import { DecodeError } from '../message/candidate.ts';
import { type Decoder, type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { noteUnknown } from '../vendor/unknown-fields.ts';
import { isObject, jsonObject, member } from '../vendor/vendor-table.ts';
import type { Vocabulary } from '../vendor/vocabulary.ts';
import type { CodecFile } from './codec-file.ts';
import type { CodecRunner } from './codec-runner.ts';

/** What a rule says about its codec. */
export interface CodecOptions {
	codec: CodecFile;
	/** LoRaWAN's port of bytes that come without a network server. */
	fPort: number;
	/** `input.variables` of the codec. */
	variables: Readonly<Record<string, string>>;
}

/**
 * Decodes bytes with a codec as LoRaWAN's TS013 has it: `decodeUplink({bytes, fPort, recvTime, variables})` returns
 * `{data, warnings, errors}`; also `Decode(fPort, bytes, variables)` and `Decoder(bytes, fPort)`. The bytes are those
 * of an uplink of The Things Stack or ChirpStack, also without decoded payload, or the message itself. `data` is read
 * like the decoded payload of a network server.
 */
export class CodecDecoder implements Decoder {
	readonly #options: CodecOptions;
	readonly #vocabulary: Vocabulary;
	readonly #runner: CodecRunner;
	/** One message of a codec waits for the thread at a time, so that a slow codec does not keep others waiting. */
	#last: Promise<unknown> = Promise.resolve();

	constructor(options: CodecOptions, vocabulary: Vocabulary, runner: CodecRunner) {
		this.#options = options;
		this.#vocabulary = vocabulary;
		this.#runner = runner;
	}

	/** @throws DecodeError, CrowdVisionError `unavailable` */
	decode(message: Message): Decoding | Promise<Decoding> {
		const uplink = uplinkOf(message);
		if (!uplink) return this.#withoutBytes(message);
		const decoded = this.#last.then(() => this.#run(uplink, message));
		this.#last = decoded.catch(() => undefined);
		return decoded;
	}

	async #run(uplink: Uplink, message: Message): Promise<Decoding> {
		const { codec, fPort, variables } = this.#options;
		const recvTime = readTimestamp(uplink.receivedAt ?? '')?.at ?? message.receivedAt;
		const input = { bytes: [...uplink.bytes], fPort: uplink.fPort ?? fPort, recvTime, variables };
		const answer = await this.#runner.run({ codec, input });
		if ('failed' in answer) throw DecodeError.unreadable(`made the codec ${codec.name} fail: ${answer.failed}`);
		const { data, warnings, errors } = answer;
		message.warnings?.push(...warnings);
		if (errors.length > 0)
			throw DecodeError.unreadable(`cannot be decoded, says the codec ${codec.name}: ${errors.join('; ')}`);
		const payloads: unknown[] = Array.isArray(data) ? data : [data];
		const readings = payloads.flatMap((payload) =>
			lorawanReadings(payload, uplink.sensorId, uplink.shared, this.#vocabulary),
		);
		const unknown = payloads.flatMap((payload) => unknownInPayload(payload, this.#vocabulary));
		noteUnknown(message, unknown, readings.length > 0);
		return orNoMetric(readings);
	}

	/** A message of a network server that holds no bytes: another event, or an uplink that is decoded already. */
	#withoutBytes(message: Message): Decoding {
		return isObject(member(jsonObject(message), 'end_device_ids'))
			? decodeTheThingsStack(message, this.#vocabulary)
			: decodeChirpstack(message, this.#vocabulary);
	}
}
