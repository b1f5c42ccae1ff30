import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, type Running, start } from '@crowdvision/testing/processes';
import WebSocket from 'ws';
import { FORMAT_NAMES, FORMATS } from '../../decode/format-table.ts';
import { connects, FORMATS_CORPUS, NDJSON, PACKETS, READINGS, SERIAL } from './corpus.ts';
import { type Chance, inPieces, mutated } from './mutations.ts';
import type { ToldNumbers } from './told-numbers.ts';

/** One way in, attacked again and again. */
export interface Lane {
	name: string;
	/** Sends one input, made of `chance`, and tells `sent` of it before. Resolves when the next may come. */
	attack(chance: Chance, sent: (bytes: Buffer) => void): Promise<void>;
}

interface Target {
	mqttPort: number;
	httpPort: number;
	token: string;
	told: ToldNumbers;
}

const PATIENCE_MS = 40;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Packets after a sign-in that is right more often than not. */
function mqttInput({ token }: Target, chance: Chance): Buffer {
	const signIns = connects(token);
	const first = chance.below(4) === 0 ? mutated(signIns, chance) : chance.of(signIns);
	const packets = Array.from({ length: chance.below(6) }, () => mutated(PACKETS, chance));
	return Buffer.concat([first, ...packets]);
}

function httpInput({ token }: Target, chance: Chance): Buffer {
	const [type, corpus] = chance.of([
		['application/json', READINGS],
		['application/x-ndjson', NDJSON],
	] as const);
	const body = mutated(corpus, chance);
	const length = chance.below(8) === 0 ? chance.below(1000) : body.length;
	const head = `POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;
	const whole = Buffer.concat([Buffer.from(head), body]);
	return chance.below(4) === 0 ? mutated([whole], chance) : whole;
}

/** Writes bytes in pieces and waits for an answer's end, or a while. */
async function overTcp(port: number, pieces: Buffer[]): Promise<void> {
	const socket = connect(port, '127.0.0.1');
	socket.on('error', () => undefined);
	socket.resume();
	for (const piece of pieces) {
		socket.write(piece);
		if (pieces.length < 20) await turn();
	}
	await new Promise<void>((resolve) => {
		const timer = setTimeout(resolve, PATIENCE_MS);
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
		const timer = setTimeout(resolve, PATIENCE_MS);
		socket.once('close', () => {
			clearTimeout(timer);
			resolve();
		});
	});
	socket.terminate();
}

/** The ports of the network. */
export function networkLanes(target: Target): Lane[] {
	const { told, httpPort, mqttPort, token } = target;
	return [
		{
			name: 'MQTT',
			async attack(chance, sent) {
				const bytes = mqttInput(target, chance);
				sent(bytes);
				told.text(bytes);
				await overTcp(mqttPort, inPieces(bytes, chance));
			},
		},
		{
			name: 'MQTT over WebSocket',
			async attack(chance, sent) {
				const bytes = mqttInput(target, chance);
				sent(bytes);
				told.text(bytes);
				const frames = inPieces(bytes, chance).map((piece) => ({ bytes: piece, binary: chance.below(50) > 0 }));
				await overWebSocket(`ws://127.0.0.1:${httpPort}/mqtt`, ['mqtt'], frames);
			},
		},
		{
			name: 'HTTP',
			async attack(chance, sent) {
				const bytes = httpInput(target, chance);
				sent(bytes);
				told.text(bytes);
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
				for (const one of frames) told.text(one);
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
 * A serial line for each framing, of real pseudo-terminals: what gateway.yaml names, and its lanes once a gateway has
 * opened it.
 */
export async function serialLines(): Promise<{
	paths: Record<keyof typeof SERIAL, string>;
	lanes(told: ToldNumbers): Lane[];
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
		lanes: (told) =>
			framings.map((framing, i) => ({
				name: `serial ${framing}`,
				async attack(chance, sent) {
					const bytes = mutated(SERIAL[framing], chance);
					sent(bytes);
					if (framing === 'cobs') told.cobs(bytes, framing);
					else told.text(bytes, framing);
					const written = new Promise<void>((resolve) => devices[i]!.write(bytes, () => resolve()));
					// A line whose other end is not read for a while holds the device up, and nothing else.
					await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 1000))]);
				},
			})),
		async close() {
			for (const device of devices) {
				// A write that the line still holds up fails by this.
				device.on('error', () => undefined);
				device.destroy();
			}
			await Promise.all(cables.map((cable) => cable.stop()));
			await rm(dir, { recursive: true, force: true });
		},
	};
}

/** Each decoder by itself: readings, or a reason, or an error with a name; nothing else. */
export function decoderLanes(): Lane[] {
	return FORMAT_NAMES.map((name) => {
		const decoder = FORMATS[name].open({
			mapping: '{"sensorId": id, "metric": "peopleCount", "value": n}',
			publish: async () => undefined,
		});
		const { topic, messages } = FORMATS_CORPUS[name];
		return {
			name: `decoder ${name}`,
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
					});
					if (typeof decoding !== 'string' && !(Array.isArray(decoding) && decoding.length > 0))
						throw new Error(`${name} decoded neither readings nor a reason`);
				} catch (error) {
					if (!['DecodeError', 'CrowdVisionError'].includes((error as Error).constructor.name)) throw error;
				}
				await turn();
			},
		};
	});
}
