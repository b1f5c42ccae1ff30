/** The command line of the simulator. */
import { parseArgs } from 'node:util';
import { PLACE_ID } from '@crowdvision/contracts';
import { createFault, FAULT_HELP } from './faults.ts';
import type { FleetLinks } from './fleet/fleet.ts';
import { FRAMINGS, type FramingName } from './framing/framing.ts';
import type { BuildingPlan } from './world/building.ts';

/** The options of the command line. */
export interface SimOptions {
	links: FleetLinks;
	building: BuildingPlan;
	crowds: { roomId: string; count: number }[];
	deviceId: string;
	token: string;
	seed: number;
	intervalMs: number;
	speed: number;
	utcOffsetMinutes: number;
	faults: string[];
	bufferSize: number;
	flashFile: string | undefined;
	/** Number of readings after which the simulator ends. */
	count: number | undefined;
	/** Time after which the simulator ends. */
	forMs: number | undefined;
	verbose: boolean;
}

/** A mistake on the command line; the message says what was given and what is allowed. */
export class UsageError extends Error {}

export const HELP = `Simulates the sensors of a building, which send to a gateway.

  npm run sim -- --http http://127.0.0.1:8080 --device <id> --token <token>

Where to send (at least one; the sensors are spread over them):
  --http <url>          POST <url>/ingest
  --mqtt <url>          mqtt:// mqtts:// ws:// or wss://
  --socketio <url>      Socket.IO at <url>/ingest/socket.io
  --serial <path>       the device's end of a serial line
  --framing <name>      format on the serial line: ${FRAMINGS.join(', ')}; default jsonl
  --checksum            end each line of jsonl or csv in its CRC
  --name <name>         name with which the serial device identifies itself when asked
  --hello               the serial port requires a token
Credentials:
  --device <id>         device id; MQTT user name
  --token <token>       device token; better in the environment variable SIM_TOKEN, which other users cannot see
Building:
  --building <id>       default demo
  --rooms <id:capacity,…>  default hall:60,lab:30
  --crowd <id:people,…> put this many people into a room, also beyond its capacity, and keep them there
  --seed <n>            the same seed gives the same building; default 1
  --hour <h>            time of day in the building, 0 to 24; default: the local time
  --speed <n>           how many times faster than real time the building lives; default 1
Devices:
  --interval <ms>       time between two samples of a sensor; default 1000
  --buffer <n>          readings that a device keeps until they are acknowledged; default 1000
  --memory <file>       where door counters store their count for the next start
  --faults <name:rate,…>
${FAULT_HELP.map((line) => `                          ${line}`).join('\n')}
End (default: Ctrl-C):
  --count <n>           end after this many readings
  --for <time>          end after a time such as 500ms, 60s, 5m or 2h
  --verbose             log what happens
  --help                show this text

Exits with 0 and a summary; with 1 if unacknowledged readings are left; with 2 for a mistake on the command line.
`;

const FLAGS = {
	http: { type: 'string' },
	mqtt: { type: 'string' },
	socketio: { type: 'string' },
	serial: { type: 'string' },
	framing: { type: 'string', default: 'jsonl' },
	checksum: { type: 'boolean' },
	name: { type: 'string' },
	hello: { type: 'boolean' },
	device: { type: 'string' },
	token: { type: 'string' },
	building: { type: 'string', default: 'demo' },
	rooms: { type: 'string', default: 'hall:60,lab:30' },
	crowd: { type: 'string' },
	seed: { type: 'string', default: '1' },
	hour: { type: 'string' },
	speed: { type: 'string', default: '1' },
	interval: { type: 'string', default: '1000' },
	buffer: { type: 'string', default: '1000' },
	memory: { type: 'string' },
	faults: { type: 'string' },
	count: { type: 'string' },
	for: { type: 'string' },
	verbose: { type: 'boolean' },
	help: { type: 'boolean' },
} as const;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError that names the option, its value (never a token) and what is allowed
 */
export function readOptions(args: string[], env: NodeJS.ProcessEnv, now: Date): SimOptions | undefined {
	const flags = parse(args);
	if (flags.help) return undefined;
	const links = linksOf(flags);
	const token = flags.token ?? env.SIM_TOKEN ?? '';
	const needsToken = links.http ?? links.mqtt ?? links.socketio ?? links.serial?.hello;
	if (needsToken && token === '')
		throw new UsageError('--token is missing; give the token of a device, or set SIM_TOKEN');
	if (links.mqtt && !flags.device) throw new UsageError('--device is missing; --mqtt needs it as the user name');
	return {
		links,
		building: {
			id: placeId('--building', flags.building),
			rooms: pairs('--rooms', flags.rooms, 'capacity').map(({ roomId, count }) => ({ id: roomId, capacity: count })),
		},
		crowds: flags.crowd === undefined ? [] : pairs('--crowd', flags.crowd, 'people'),
		deviceId: flags.device ?? '',
		token,
		seed: number('--seed', flags.seed, 0, 2 ** 31 - 1, true),
		intervalMs: number('--interval', flags.interval, 1, 86_400_000, true),
		speed: number('--speed', flags.speed, 0.001, 100_000, false),
		utcOffsetMinutes:
			flags.hour === undefined ? -now.getTimezoneOffset() : offsetFor(number('--hour', flags.hour, 0, 24, false), now),
		faults: faultsOf(flags.faults),
		bufferSize: number('--buffer', flags.buffer, 1, 1_000_000, true),
		flashFile: flags.memory,
		count: flags.count === undefined ? undefined : number('--count', flags.count, 1, Number.MAX_SAFE_INTEGER, true),
		forMs: flags.for === undefined ? undefined : duration('--for', flags.for),
		verbose: flags.verbose ?? false,
	};
}

function parse(args: string[]) {
	try {
		return parseArgs({ args, options: FLAGS, strict: true, allowPositionals: false }).values;
	} catch (error) {
		const [problem] = (error as Error).message.split('. ');
		throw new UsageError(
			`${problem}; the options are ${Object.keys(FLAGS)
				.map((name) => `--${name}`)
				.join(' ')}`,
		);
	}
}

function linksOf(flags: ReturnType<typeof parse>): FleetLinks {
	const links: FleetLinks = {};
	if (flags.http !== undefined) links.http = { url: url('--http', flags.http, ['http:', 'https:']) };
	if (flags.mqtt !== undefined) links.mqtt = { url: url('--mqtt', flags.mqtt, ['mqtt:', 'mqtts:', 'ws:', 'wss:']) };
	if (flags.socketio !== undefined) links.socketio = { url: url('--socketio', flags.socketio, ['http:', 'https:']) };
	if (flags.serial !== undefined) {
		const { serial: path, hello = false, checksum = false, name } = flags;
		links.serial = { path, hello, framing: framing(flags.framing), checksum, ...(name !== undefined && { name }) };
	}
	if (Object.keys(links).length === 0)
		throw new UsageError('there is nowhere to send to; give at least one of --http, --mqtt, --socketio, --serial');
	return links;
}

function framing(text: string): FramingName {
	const found = FRAMINGS.find((name) => name === text);
	if (!found) throw invalid('--framing', text, `one of ${FRAMINGS.join(', ')}`);
	return found;
}

function url(option: string, text: string, protocols: readonly string[]): string {
	if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
	throw invalid(option, text, `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
}

function number(option: string, text: string, min: number, max: number, whole: boolean): number {
	const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
	if (value >= min && value <= max && (!whole || Number.isSafeInteger(value))) return value;
	throw invalid(option, text, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
}

function placeId(option: string, text: string): string {
	if (new RegExp(PLACE_ID).test(text)) return text;
	throw invalid(option, text, '1 to 128 characters without /, +, # and control characters');
}

function pairs(option: string, text: string, what: string): { roomId: string; count: number }[] {
	const found = text.split(',').map((pair) => {
		const [, roomId = '', count = ''] = /^(.*):(\d{1,6})$/.exec(pair.trim()) ?? [];
		if (!new RegExp(PLACE_ID).test(roomId))
			throw invalid(option, text, `room:${what} pairs separated by commas, such as hall:60,lab:30`);
		return { roomId, count: Number(count) };
	});
	if (new Set(found.map(({ roomId }) => roomId)).size < found.length)
		throw invalid(option, text, 'rooms with different names');
	return found;
}

function faultsOf(text: string | undefined): string[] {
	const specs = text === undefined ? [] : text.split(',').map((spec) => spec.trim());
	for (const spec of specs) {
		try {
			createFault(spec, 0);
		} catch (error) {
			throw new UsageError(`--faults: ${(error as Error).message}`);
		}
	}
	return specs;
}

function duration(option: string, text: string): number {
	const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
	const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''];
	if (amount === undefined || factor === undefined || Number(amount) * factor > 2 ** 31 - 1)
		throw invalid(option, text, 'a time such as 500ms, 60s, 5m or 2h');
	return Number(amount) * factor;
}

/** The UTC offset, in minutes, with which it is `hour` o'clock now. */
function offsetFor(hour: number, now: Date): number {
	return Math.round(hour * 60 - (now.getUTCHours() * 60 + now.getUTCMinutes()));
}

const invalid = (option: string, text: string, allowed: string) =>
	new UsageError(`${option} is ${JSON.stringify(text)}, but must be ${allowed}`);
