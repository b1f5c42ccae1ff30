/** Requests to `/ingest` as devices send them, well and badly, as bytes; and a connection to send them over. */
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';

type Random = () => number;

const basic = (id: string, password: string) => `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`;

/** Picks one, each as likely as the others. */
const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
/** The first where `share` of all cases has it, else one of the others. */
const mostly = <T>(random: Random, share: number, first: T, others: readonly T[]): T =>
	random() < share ? first : one(random, others);

/** Tokens by what they are good for. */
export interface DeviceTokens {
	/** Of the device `poster`, for building b1. */
	good: string;
	/** As `good`, but for the sensor `only`. */
	only: string;
	/** As long as `good`, with another signature. */
	forged: string;
	/** For a building of another domain. */
	foreign: string;
}

const PATHS = [
	...['/ingest?partial=1', '/ingest?partial=true', '/ingest?partial=0', '/ingest?partial=1&x=2', '/ingest?x=1'],
	...['/ingest/', '/INGEST', '/ingest?partial=%31', '/ingest?partial=1&partial=1', '/ingest?', '/ingest#x'],
	...['/ingest/counter', '/ingest/counter?event=up', '/ingest/counter?partial=1', '/ingest/%63ounter'],
	...['/ingest/nothing', '/ingest/nothing?event=up', '/ingest/counter/', '/ingest//counter', '/ingest/a%20b'],
	...['/ingest/__proto__', '/ingest/x/y', '/ingest?event=up', '/ingest/counter?event=a%2Fb'],
];
const TYPES = [
	...['application/json; charset=utf-8', 'Application/JSON', 'application/x-ndjson', undefined, 'text/plain', ''],
	...['application/x-acme', 'application/x-acme;v=1', 'nonsense', 'application/senml+json', 'APPLICATION/X-NDJSON'],
];

function reading(random: Random, nth: number): object {
	const base = { sensorId: `s-${Math.floor(random() * 6)}`, metric: 'co2', value: 400 + nth, roomId: 'hall' };
	const change = mostly<object>(random, 0.7, {}, [
		...[{ seq: nth }, { seq: 1, boot: 'é"\\' }, { observedAt: '2026-11-30T11:59:00Z' }, { observedAt: 5 }],
		...[{ value: -1 }, { value: '21.5' }, { value: null }, { metric: 'mood' }, { sensorId: 'a b' }, { unit: 'lx' }],
		...[{ buildingId: 'foreign' }, { roomId: undefined }, { metric: 'peopleIn', value: 3, seq: nth }, { value: 1e9 }],
		...[{ metric: 'temperature', value: 70, unit: 'degF' }, { sensorId: undefined }, { device: 'door', in: 2 }],
	]);
	return { ...base, ...change };
}

function bodyOf(random: Random, nth: number): Buffer {
	const json = (value: unknown) => Buffer.from(JSON.stringify(value));
	const single = () => json(reading(random, nth));
	const several = () => Array.from({ length: 1 + Math.floor(random() * 5) }, (_, i) => reading(random, nth * 10 + i));
	const kinds: (() => Buffer)[] = [
		() => json(several()),
		() =>
			Buffer.from(
				several()
					.map((each) => `${JSON.stringify(each)}\r\n`)
					.join('\n'),
			),
		() => json({ type: 'temperature', roomId: 'hall', temperature: 21.5, humidity: null, buildingId: 'b1' }),
		() => json({ device: 'door', in: 2 }),
		() => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), single(), Buffer.from([0, 0])]),
		() => single().subarray(0, 20),
		() => Buffer.from([0xff, 0xfe, 0x7b]),
		() => Buffer.from('{"sensorId":"s-1","metric":"co2","value":NaN,"roomId":"hall"}'),
		() => Buffer.from(one(random, ['[]', 'null', '5', '[[]]', '', ' ', '{}', 'nonsense\n{}'])),
	];
	return mostly(random, 0.4, single, kinds)();
}

function authorizationOf(random: Random, tokens: DeviceTokens): string | undefined {
	return mostly<() => string | undefined>(random, 0.7, () => `Bearer ${tokens.good}`, [
		() => `Bearer ${tokens.only}`,
		() => `bearer   ${tokens.good}  `,
		() => basic('poster', tokens.good),
		() => basic('other', tokens.good),
		() => `Bearer ${tokens.forged}`,
		() => `Bearer ${tokens.foreign}`,
		() => 'Bearer',
		() => 'Basic %%%',
		() => undefined,
	])();
}

/** A request as it stands on the wire. */
export function postedRequest(random: Random, nth: number, tokens: DeviceTokens): Buffer {
	const method = mostly(random, 0.95, 'POST', ['GET', 'PUT', 'OPTIONS', 'DELETE']);
	const path = mostly(random, 0.6, '/ingest', PATHS);
	const lines = [`${method} ${path} HTTP/1.1`, 'Host: gateway'];
	const type = mostly(random, 0.6, 'application/json', TYPES);
	if (type !== undefined) lines.push(`Content-Type: ${type}`);
	const authorization = authorizationOf(random, tokens);
	if (authorization !== undefined) lines.push(`Authorization: ${authorization}`);
	// Else the failures of one address would wait.
	lines.push(`X-Forwarded-For: ${mostly(random, 0.95, `203.0.113.${nth % 250}`, ['nonsense', 'x, 198.51.100.7'])}`);
	if (random() < 0.03) lines.push('Forwarded: for=198.51.100.8');
	if (random() < 0.05) lines.push('Connection: close');
	if (random() < 0.03) lines.push('Expect: 100-continue');
	const plain = bodyOf(random, nth);
	const encoding = mostly(random, 0.9, undefined, ['gzip', 'deflate', 'identity', 'rot13', 'GZIP']);
	if (encoding) lines.push(`Content-Encoding: ${encoding}`);
	const body =
		encoding?.toLowerCase() === 'gzip' ? gzipSync(plain) : encoding === 'deflate' ? deflateSync(plain) : plain;
	if (random() < 0.1) {
		lines.push('Transfer-Encoding: chunked');
		const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
		const half = body.length >> 1;
		const chunks = [body.subarray(0, half), body.subarray(half), Buffer.alloc(0)];
		return Buffer.concat([head, ...chunks.flatMap((chunk, i) => (chunk.length > 0 || i === 2 ? chunked(chunk) : []))]);
	}
	if (random() < 0.02) return Buffer.from(`${lines.join('\r\n')}\r\nContent-Length: 1048577\r\n\r\n`);
	if (body.length > 0 || random() < 0.5) lines.push(`Content-Length: ${body.length}`);
	else return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
	return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}

const chunked = (bytes: Buffer): Buffer[] => [
	Buffer.from(`${bytes.length.toString(16)}\r\n`),
	bytes,
	Buffer.from('\r\n'),
];

/** An answer as it stood on the wire, without its date. */
export interface RawAnswer {
	head: string[];
	body: string;
}

/** A client of one HTTP connection at a time, which goes on with a new one when the server has closed the last. */
export class RawClient {
	readonly #port: number;
	#socket: Socket | undefined;

	constructor(port: number) {
		this.#port = port;
	}

	/** Sends a request, cut into these pieces, and resolves with its answer. */
	async send(pieces: readonly Buffer[]): Promise<RawAnswer> {
		this.#socket ??= connect({ port: this.#port, host: '127.0.0.1', noDelay: true }).on('error', () => undefined);
		const socket = this.#socket;
		let received = Buffer.alloc(0);
		const answered = Promise.withResolvers<RawAnswer>();
		const onData = (chunk: Buffer) => {
			received = Buffer.concat([received, chunk]);
			const answer = answerIn(received);
			if (answer) answered.resolve(answer);
		};
		const onClose = () => answered.reject(new Error(`closed after ${JSON.stringify(received.toString())}`));
		socket.on('data', onData).on('close', onClose);
		try {
			for (const piece of pieces) {
				socket.write(piece);
				if (pieces.length > 1) await setImmediate();
			}
			const answer = await answered.promise;
			if (answer.head.includes('Connection: close')) this.close();
			return answer;
		} finally {
			socket.off('data', onData).off('close', onClose);
		}
	}

	close(): void {
		this.#socket?.destroy();
		this.#socket = undefined;
	}
}

/** The whole answer in what was received; undefined while something of it is missing. */
function answerIn(received: Buffer): RawAnswer | undefined {
	const text = received.toString('latin1').replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
	const end = text.indexOf('\r\n\r\n');
	if (end < 0) return undefined;
	const head = text.slice(0, end).split('\r\n');
	const length = Number(head.find((line) => /^content-length:/i.test(line))?.split(':')[1] ?? 0);
	if (text.length < end + 4 + length) return undefined;
	return { head: head.filter((line) => !line.startsWith('Date: ')), body: text.slice(end + 4) };
}
