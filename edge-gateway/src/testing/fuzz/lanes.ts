import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, type Running, start } from '@crowdvision/testing/processes';
import WebSocket from 'ws';
import { FORMAT_NAMES, FORMATS } from '../../decode/format-table.ts';
import { Vocabulary } from '../../decode/vendor/vocabulary.ts';
import { COUNTER_CODEC } from '../codecs.ts';
import { packetOf, str } from '../malformed-packets.ts';
import { connects, FORMATS_CORPUS, FUZZ_SENSOR, NDJSON, PACKETS, READINGS, SERIAL } from './corpus.ts';
import { isRefusal, type Lane, requireDecoding, turn } from './lane.ts';
import { type Chance, inPieces, mutated } from './mutations.ts';
import { FUZZ_PATH, RULE_MESSAGES, TEXT_MAPPING } from './rules-corpus.ts';
import type { SentNumbers } from './sent-numbers.ts';

interface Target {
	mqttPort: number;
	httpPort: number;
	token: string;
	numbers: SentNumbers;
}

/** How long to wait for the gateway to end a connection. */
const ANSWER_MS = 40;

/** Packets behind a CONNECT, which is valid in three of four cases. */
function mqttInput({ token }: Target, chance: Chance): Buffer {
	const signIns = connects(token);
	const first = chance.below(4) === 0 ? mutated(signIns, chance) : chance.of(signIns);
	const packets = Array.from({ length: chance.below(6) }, () =>
		chance.below(3) === 0 ? publication(chance) : mutated(PACKETS, chance),
	);
	return Buffer.concat([first, ...packets]);
}

/** A PUBLISH on a topic that a rule reads or that tells of a device. */
function publication(chance: Chance): Buffer {
	const { topic, messages } = chance.of(RULE_MESSAGES);
	const packet = packetOf(0x32, str(topic), [0, 10], mutated(messages, chance));
	return chance.below(8) === 0 ? mutated([packet], chance) : packet;
}

const WEBHOOK = RULE_MESSAGES.find(({ topic }) => topic === `zigbee2mqtt/${FUZZ_SENSOR}`)!.messages;

function httpInput({ token }: Target, chance: Chance): Buffer {
	const [path, type, corpus] = chance.of([
		['', 'application/json', READINGS],
		['?partial=1', 'application/json', READINGS],
		['', 'application/x-ndjson', NDJSON],
		[`/${FUZZ_PATH}`, 'application/json', WEBHOOK],
	] as const);
	const basic = Buffer.from(`fuzz-device:${token}`).toString('base64');
	const credentials = chance.below(3) === 0 ? `Basic ${basic}` : `Bearer ${token}`;
	const body = mutated(corpus, chance);
	const length = chance.below(8) === 0 ? chance.below(1000) : body.length;
	const head = [
		`POST /ingest${path} HTTP/1.1`,
		'Host: x',
		`Authorization: ${credentials}`,
		`Content-Type: ${type}`,
		`Content-Length: ${length}`,
		'Connection: close\r\n\r\n',
	].join('\r\n');
	const whole = Buffer.concat([Buffer.from(head), body]);
	return chance.below(4) === 0 ? mutated([whole], chance) : whole;
}

/** Writes bytes in pieces, and waits a moment for the gateway to end the connection. */
async function overTcp(port: number, pieces: Buffer[]): Promise<void> {
	const socket = connect(port, '127.0.0.1');
	socket.on('error', () => undefined);
	socket.resume();
	for (const piece of pieces) {
		socket.write(piece);
		if (pieces.length < 20) await turn();
	}
	await new Promise<void>((resolve) => {
		const timer = setTimeout(resolve, ANSWER_MS);
		socket.once('close', () => {
			clearTimeout(timer);
			resolve();
		});
	});
	socket.destroy();
}

async function overWebSocket(
	url: string,
	protocols: string[],
	frames: { bytes: Buffer; binary: boolean }[],
): Promise<void> {
	const socket = new WebSocket(url, protocols);
	socket.on('error', () => undefined);
	await new Promise<void>((resolve) => {
		socket.once('open', resolve);
		socket.once('close', () => resolve());
	});
	for (const { bytes, binary } of frames) {
		if (socket.readyState !== WebSocket.OPEN) break;
		socket.send(bytes, { binary });
		await turn();
	}
	await new Promise<void>((resolve) => {
		const timer = setTimeout(resolve, ANSWER_MS);
		socket.once('close', () => {
			clearTimeout(timer);
			resolve();
		});
	});
	socket.terminate();
}

/** Lanes for MQTT over TCP and WebSocket, HTTP, and Socket.IO. */
export function networkLanes(target: Target): Lane[] {
	const { numbers, httpPort, mqttPort, token } = target;
	return [
		{
			name: 'MQTT',
			async attack(chance, sent) {
				const bytes = mqttInput(target, chance);
				sent(bytes);
				numbers.text(bytes);
				await overTcp(mqttPort, inPieces(bytes, chance));
			},
		},
		{
			name: 'MQTT over WebSocket',
			async attack(chance, sent) {
				const bytes = mqttInput(target, chance);
				sent(bytes);
				numbers.text(bytes);
				const frames = inPieces(bytes, chance).map((piece) => ({ bytes: piece, binary: chance.below(50) > 0 }));
				await overWebSocket(`ws://127.0.0.1:${httpPort}/mqtt`, ['mqtt'], frames);
			},
		},
		{
			name: 'HTTP',
			async attack(chance, sent) {
				const bytes = httpInput(target, chance);
				sent(bytes);
				numbers.text(bytes);
				await overTcp(httpPort, inPieces(bytes, chance));
			},
		},
		{
			name: 'Socket.IO',
			async attack(chance, sent) {
				const events = READINGS.map((one, i) =>
					Buffer.concat([Buffer.from(`42${i}["reading",`), one, Buffer.from(']')]),
				);
				const hello = Buffer.from(`40${JSON.stringify({ token })}`);
				const frames = [hello, ...Array.from({ length: 1 + chance.below(4) }, () => mutated(events, chance))];
				sent(Buffer.concat(frames));
				for (const one of frames) numbers.text(one);
				const url = `ws://127.0.0.1:${httpPort}/ingest/socket.io/?EIO=4&transport=websocket`;
				await overWebSocket(
					url,
					[],
					frames.map((bytes) => ({ bytes, binary: chance.below(20) === 0 })),
				);
			},
		},
	];
}

/**
 * A serial line of real pseudo-terminals for each framing: the paths for gateway.yaml, and the lanes, for use once the
 * gateway has opened them.
 */
export async function serialLines(): Promise<{
	paths: Record<keyof typeof SERIAL, string>;
	lanes(numbers: SentNumbers): Lane[];
	close(): Promise<void>;
}> {
	const socat = findProgram('socat');
	if (!socat) throw new Error('socat is not installed');
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-fuzz-'));
	const framings = Object.keys(SERIAL) as (keyof typeof SERIAL)[];
	const cables: Running[] = [];
	for (const framing of framings) {
		const ends = ['device', 'host'].map((end) => `pty,raw,echo=0,link=${join(dir, `${framing}-${end}`)}`);
		cables.push(await start(socat, { args: ['-d', '-d', ...ends], ready: /starting data transfer loop/ }));
	}
	const devices = framings.map((framing) => createWriteStream(join(dir, `${framing}-device`), { flags: 'r+' }));
	return {
		paths: Object.fromEntries(framings.map((framing) => [framing, join(dir, `${framing}-host`)])) as Record<
			keyof typeof SERIAL,
			string
		>,
		lanes: (numbers) =>
			framings.map((framing, i) => ({
				name: `serial ${framing}`,
				async attack(chance, sent) {
					const bytes = mutated(SERIAL[framing], chance);
					sent(bytes);
					if (framing === 'cobs') numbers.cobs(bytes, framing);
					else numbers.text(bytes, framing);
					const written = new Promise<void>((resolve) => devices[i]!.write(bytes, () => resolve()));
					// The gateway may pause reading from the line, which must delay this lane only.
					await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 1000))]);
				},
			})),
		async close() {
			for (const device of devices) {
				// A write that still waits for the line fails now.
				device.on('error', () => undefined);
				device.destroy();
			}
			await Promise.all(cables.map((cable) => cable.stop()));
			await rm(dir, { recursive: true, force: true });
		},
	};
}

/** A lane for each decoder, which may only return readings or a reason, or throw one of its own errors. */
export function decoderLanes(): Lane[] {
	const mapping = '{"sensorId": id, "metric": "peopleCount", "value": n}';
	const lanes = [
		...FORMAT_NAMES.map((name) => ({ name, mapping })),
		{ name: 'jsonata', mapping: TEXT_MAPPING } as const,
	];
	return lanes.map(({ name, mapping }) => {
		const decoder = FORMATS[name].open({
			mapping,
			publish: async () => undefined,
			codec: { codec: { name: 'counter.js', text: COUNTER_CODEC }, fPort: 1, variables: {} },
			vocabulary: new Vocabulary({
				rename: { n: { metric: 'co2', scale: 10 }, state: { metric: 'voc', values: { ON: 1 } } },
			}),
		});
		const { topic, messages } = FORMATS_CORPUS[name];
		return {
			name: `decoder ${name}${mapping === TEXT_MAPPING ? ' of text' : ''}`,
			async attack(chance, sent) {
				const raw = mutated(messages, chance);
				sent(raw);
				try {
					const decoding = await decoder.decode({
						raw,
						source: topic,
						sender: 'dev',
						name: 'dev',
						receivedAt: Date.UTC(2026, 10, 22),
						unknown: [],
					});
					requireDecoding(decoding, name);
				} catch (error) {
					if (!isRefusal(error)) throw error;
				}
				await turn();
			},
		};
	});
}
