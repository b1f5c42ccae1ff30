/** Lanes of the fuzzer through the rules of a configuration: topics, time zones, text mappings and codecs. */
import { CodecDecoder } from '../../decode/codec/codec.ts';
import { CodecRunner } from '../../decode/codec/codec-runner.ts';
import { decodeMessage } from '../../decode/decode-message.ts';
import { Decoders } from '../../decode/decoders.ts';
import { Vocabulary } from '../../decode/vendor/vocabulary.ts';
import { observedTime } from '../../normalize/observed-time.ts';
import { COUNTER_CODEC } from '../codecs.ts';
import { FORMATS_CORPUS } from './corpus.ts';
import { isRefusal, type Lane, requireDecoding, turn } from './lane.ts';
import { type Chance, mutated } from './mutations.ts';
import { RULE_MESSAGES, RULES, TIMES } from './rules-corpus.ts';

const RECEIVED_AT = Date.UTC(2026, 10, 22);
const AHEAD_MS = 60_000;
const ZONES = [undefined, 'Europe/Rome', 'America/St_Johns', 'Asia/Kathmandu', 'Australia/Lord_Howe'];
const CODEC_TIMEOUT_MS = 1000;

/** The lanes, and `close` for what they hold open. */
export function ruleLanes(): { lanes: Lane[]; close(): Promise<void> } {
	const decoders = new Decoders(RULES, async () => undefined);
	const runner = new CodecRunner(CODEC_TIMEOUT_MS);
	return {
		lanes: [
			{ name: 'rules', attack: (chance, sent) => attackRules(decoders, chance, sent) },
			{ name: 'times', attack: attackTimes },
			{ name: 'codec files', attack: (chance, sent) => attackCodecs(runner, chance, sent) },
		],
		close: async () => {
			await Promise.all([decoders.close(), runner.close()]);
		},
	};
}

async function attackRules(decoders: Decoders, chance: Chance, sent: (bytes: Buffer) => void): Promise<void> {
	const { topic: usual, messages } = chance.of(RULE_MESSAGES);
	const topic = chance.below(8) === 0 ? mutated([Buffer.from(usual)], chance).toString() : usual;
	const raw = mutated(messages, chance);
	sent(Buffer.concat([Buffer.from(`${topic} `), raw]));
	const by = decoders.forTopic(topic);
	if (!by) return turn();
	const { name, rule } = by;
	const frame = { raw, source: topic, sender: 'dev', name, receivedAt: RECEIVED_AT, timeZone: rule.timeZone };
	try {
		const decoding = await decodeMessage(by, { ...frame, unknown: [] });
		requireDecoding(decoding, `the rule ${rule.name}`);
		for (const { candidate } of Array.isArray(decoding) ? decoding : []) {
			const { observedAt } = candidate;
			if (typeof observedAt === 'string' || typeof observedAt === 'number') requireTime(observedAt, rule.timeZone);
		}
	} catch (error) {
		if (!isRefusal(error)) throw error;
	}
	await turn();
}

async function attackTimes(chance: Chance, sent: (bytes: Buffer) => void): Promise<void> {
	const raw = mutated(TIMES, chance);
	sent(raw);
	const text = raw.toString();
	requireTime(text, chance.of(ZONES));
	const number = Number(text);
	if (Number.isFinite(number)) requireTime(number, chance.of(ZONES));
	await turn();
}

/** @throws Error where a time is read as one that cannot be */
function requireTime(stated: string | number, zone: string | undefined): void {
	const time = observedTime(stated, RECEIVED_AT, { zone, previous: () => RECEIVED_AT - 1000 });
	if ('message' in time) return;
	const isTrue = time.observedAt > Date.UTC(1999, 11, 30) && time.observedAt <= RECEIVED_AT + AHEAD_MS;
	if (!isTrue) throw new Error(`the time ${stated} was read as ${time.observedAt}`);
}

/** A codec that is damaged must cost its message only, whatever it does. */
async function attackCodecs(runner: CodecRunner, chance: Chance, sent: (bytes: Buffer) => void): Promise<void> {
	const text = mutated([Buffer.from(COUNTER_CODEC)], chance);
	const raw = mutated(FORMATS_CORPUS.codec.messages, chance);
	sent(Buffer.concat([text, raw]));
	const options = { codec: { name: 'damaged.js', text: text.toString() }, fPort: 1, variables: {} };
	const message = { raw, source: 'lora/dev/up', sender: 'dev', name: 'dev', receivedAt: RECEIVED_AT };
	try {
		requireDecoding(await new CodecDecoder(options, new Vocabulary({}), runner).decode(message), 'a damaged codec');
	} catch (error) {
		if (!isRefusal(error)) throw error;
	}
	await turn();
}
