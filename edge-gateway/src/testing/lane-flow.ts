/** Makes streams of MQTT packets as devices and their faults make them, and cuts them anywhere. */
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet';

/** Returns numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

export interface Flow {
	bytes: Buffer;
	/** Packet identifiers of QoS 1 in order of sending: so they are to be acknowledged. */
	acknowledged: number[];
	/** Where each of them ends. */
	ends: number[];
}

const VALUES = [
	...['0', '-0', '-0.0', '0.0', '21', '21.0', '21.50', '-3.25', '400', '400.5', '0.000001', '0.0000001', '1e2', '4E-1'],
	...['123456789012345', '1234567890123456', '0.1234567890123456', '5001', '40001', '-41', '1e400', '007', '.5', '5.'],
	...['"21.5"', '"21,5"', 'null', 'NaN', 'true', '{"a":1}', '[1]', ''],
];
const SEQS = ['0', '1', '7', '00', '1.0', '1.5', '-1', '9007199254740991', '9007199254740993', '"3"', 'null'];
const WRONG = ['', '{', '[]', '[1]', '{}', 'null', '5', '"x"', '{"metric":"co2"}', '{"value":1}', '\ufeff{"co2":5}'];

/**
 * A stream of packets of a client that has signed in as the device of `sensorId`, whose clock shows `now` (epoch ms).
 * Most of them are readings whose shape comes again.
 */
export function laneFlow(random: () => number, sensorId: string, now: number, packets: number): Flow {
	const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
	const chance = (share: number) => random() < share;
	let seq = 100;
	let seconds = 0;

	const times = () => {
		// Pauses of some hours change how long a value counts as current.
		seconds += chance(0.03) ? Math.floor(random() * 10_000) : chance(0.5) ? 1 : 0;
		const at = now - 30 * 24 * 3600_000 + seconds * 1000;
		return [
			...Array.from({ length: 6 }, () => String(at)),
			...[String(Math.floor(at / 1000)), `${at / 1000}`, `"${new Date(at).toISOString()}"`, `"${iso(at)}"`],
			...[String(now + 59_000), String(now + 61_000), '5', '-5', '4102444800000', '99999999999', String(at * 1000)],
			...['"2026-02-30T00:00:00Z"', '"2026-06-30T23:59:60Z"', '"2026-06-01T24:00:00Z"', `"${iso(at).slice(0, -1)}"`],
			...['"2026-06-01T10:00:00+02:00"', '"2026-06-01T10:00:00.1234567Z"', '"yesterday"', 'null'],
		];
	};
	const value = () =>
		chance(0.85) ? String(Math.round(random() * 100_000) / 10 ** Math.floor(random() * 4)) : pick(VALUES);
	const number = () => (chance(0.9) ? String(chance(0.95) ? ++seq : seq) : pick(SEQS));
	const time = () => (chance(0.8) ? times()[0]! : pick(times()));
	const metric = () => pick(['co2', 'temperature', 'humidity', 'noise']);
	const own = `"sensorId":"${sensorId}"`;
	const shapes: (() => string)[] = [
		() => `{${own},"metric":"co2","value":${value()},"observedAt":${time()},"seq":${number()},"boot":"a"}`,
		() => `{"metric":"${metric()}","value":${value()},"seq":${number()}}`,
		() => `{"metric":"${metric()}","value":${value()}}`,
		() => `{ "value" : ${value()} , "metric":"co2","unit":"ppm", "observedAt":${time()} }\n`,
		() => `{"metric":"temperature","unit":"${pick(['degC', 'degF', '°C'])}","value":${value()}}`,
		() => `{"metric":"co2","value":${value()},"seq":${number()},"uptime":${pick(['5', '60.5'])},"note":"\u00e9\u20ac"}`,
		() =>
			`{"metric":"co2","value":${value()},"sensorName":"${pick(['Door', 'Do\\u006fr', 'value'])}","seq":${number()}}`,
		() => `{"co2":${value()},"temperature":${value()},"seq":${number()}}`,
		() => `{"type":"co2","timestamp":${time()},"co2":${value()}}`,
		() => `{"temperature":${value()},"seq":${number()}}`,
		() => `[{"metric":"co2","value":${value()},"seq":${number()}}]`,
		() => `{"metric":"peopleIn","value":${pick(['1', '2', '0'])},"seq":${number()}}`,
		() => `{"metric":"co2","value":${value()},"value":${value()},"seq":${number()}}`,
		() => `{"metric":"co2","value":${value()},"buildingId":"${pick(['b1', 'b1', 'b2'])}"}`,
		() => pick(WRONG),
		() => value(),
	];
	// A device repeats few of them.
	const isBare = chance(0.2);
	const usual = isBare ? [value] : [pick(shapes), pick(shapes.slice(0, 4))];
	const topic = `telemetry/b1/hall/${sensorId}${isBare ? '/co2' : ''}`;
	const topics = [
		`${topic}/co2`,
		`telemetry/b1/hall/other`,
		'telemetry/b1/hall',
		'status/x',
		`telemetry/b2/hall/${sensorId}`,
	];

	const parts: Buffer[] = [];
	const acknowledged: number[] = [];
	const ends: number[] = [];
	let length = 0;
	const put = (packet: Packet) => {
		const bytes = generate(packet);
		parts.push(bytes);
		length += bytes.length;
		if (packet.cmd !== 'publish' || packet.qos !== 1) return;
		acknowledged.push(packet.messageId!);
		ends.push(length);
	};
	let id = 0;
	for (let i = 0; i < packets; i++) {
		if (chance(0.01)) put({ cmd: 'pingreq' });
		const qos = chance(0.01) ? 2 : chance(0.8) ? 1 : 0;
		const packet: IPublishPacket = {
			cmd: 'publish',
			topic: chance(0.95) ? topic : pick(topics),
			payload: chance(0.85) ? pick(usual)() : pick(shapes)(),
			qos,
			retain: chance(0.005),
			dup: qos > 0 && chance(0.05),
		};
		if (qos > 0) packet.messageId = ++id;
		put(packet);
		if (qos === 2) put({ cmd: 'pubrel', messageId: id });
	}
	// All before it has been decided when it is acknowledged.
	put({ cmd: 'publish', topic, payload: '{', qos: 1, retain: false, dup: false, messageId: ++id });
	return { bytes: Buffer.concat(parts), acknowledged, ends };
}

/** Cuts bytes at random places: in most cases into pieces of several packets, else into a few bytes. */
export function cutAtRandom(random: () => number, bytes: Buffer): Buffer[] {
	const pieces: Buffer[] = [];
	const longest = random() < 0.2 ? 40 : 4000;
	for (let at = 0; at < bytes.length; ) {
		const end = Math.min(bytes.length, at + 1 + Math.floor(random() * longest));
		pieces.push(bytes.subarray(at, end));
		at = end;
	}
	return pieces;
}

const iso = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
