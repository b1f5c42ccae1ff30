/** The schema of `sources.serial` in gateway.yaml. */
import { PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration, TimeZoneOption, timeZoneProblem } from '../../measures.ts';
import { filled, option, withoutDefault } from '../../options.ts';
import { CSV_FIELDS, type CsvOptions } from '../framing/csv-framing.ts';

const closed = { additionalProperties: false };
const Hex = (description: string) => Type.String({ pattern: '^[0-9A-Fa-f]{4}$', description });

/** `identify` of a port: asking the device for its name. */
export const IdentifyConfig = Type.Object(
	{
		device: Type.String({
			pattern: '^[\\x21-\\x7e]{1,128}$',
			description: 'the name that the device states: 1..128 characters, no spaces',
		}),
		probe: option(Type.String({ minLength: 1, maxLength: 256 }), 'HELLO?\n', 'what is sent to ask for the name'),
		answer: Type.Optional(
			Type.String({
				maxLength: 256,
				description:
					'regular expression for the answer, with one group that matches the name; default: the answer is ' +
					'HELLO <device>',
			}),
		),
		every: option(Duration, '2s', 'how often the device is asked until it answers'),
	},
	{
		...closed,
		description: 'chooses the port by the name its device states; asks every free port that path, glob or usb matches',
	},
);

const CsvConfig = Type.Object(
	{
		columns: Type.Optional(
			Type.Union(
				[
					Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 64 }),
					Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ minLength: 1, maxLength: 64 }), {
						maxProperties: 64,
					}),
				],
				{
					description:
						'the field in each column, by position (empty: ignored) or by the name in the header: sensorId, ' +
						'metric, value, unit, seq, boot, observedAt, buildingId, roomId, or a metric, whose value the ' +
						'column then holds; ' +
						'default: the header uses these field names',
				},
			),
		),
		delimiter: option(
			Type.String({
				pattern: '^[^"\\r\\n0-9A-Za-z]$',
				description: 'one character other than a letter, digit or quote',
			}),
			',',
			'what separates the columns',
		),
		decimal: option(Type.Enum(['.', ',']), '.', 'decimal mark'),
	},
	closed,
);

/** The options of the framing `csv` with their defaults. */
export function csvOptions(config?: Static<typeof CsvConfig>): CsvOptions {
	return filled(CsvConfig, config);
}

/**
 * An entry of `sources.serial`: where a port is found, how its bytes are decoded, and which sensors it may send for.
 */
export const SerialConfig = Type.Object(
	{
		path: Type.Optional(
			Type.String({
				minLength: 1,
				description:
					'stable path of the port: below /dev/serial/by-path a USB socket, below /dev/serial/by-id a device ' +
					'with a serial number',
			}),
		),
		glob: Type.Optional(
			Type.String({
				minLength: 1,
				description: 'pattern of paths, such as /dev/serial/by-path/*; each match is a port of its own',
			}),
		),
		usb: Type.Optional(
			Type.Object(
				{
					vendorId: Type.Optional(Hex('four hex digits, as lsusb shows them')),
					productId: Type.Optional(Hex('four hex digits')),
					serialNumber: Type.Optional(
						Type.String({ minLength: 1, description: 'of the adapter, which is then found in whichever socket it is' }),
					),
					path: Type.Optional(
						Type.String({
							pattern: '^\\d+-\\d+(\\.\\d+)*$',
							description: 'a socket as named in /sys/bus/usb/devices, such as 1-1.2, whatever is plugged into it',
						}),
					),
				},
				{
					...closed,
					minProperties: 1,
					description: 'the port whose adapter has all of these attributes; if two ports do, neither is opened',
				},
			),
		),
		identify: Type.Optional(IdentifyConfig),
		baudRate: option(Type.Integer({ minimum: 50, maximum: 4_000_000 }), 115_200),
		dataBits: option(Type.Enum([5, 6, 7, 8]), 8),
		parity: option(Type.Enum(['none', 'even', 'odd']), 'none'),
		stopBits: option(Type.Enum([1, 2]), 1),
		flowControl: option(
			Type.Enum(['none', 'rtscts', 'xonxoff']),
			'none',
			'how the device is told to pause; xonxoff cannot be used with cobs',
		),
		resetOnOpen: option(
			Type.Boolean(),
			false,
			'lowers DTR when the port is closed, so that boards such as an Arduino restart when it is reopened',
		),
		dtr: Type.Optional(
			Type.Boolean({ description: 'level of DTR once the port is open; default: as the system sets it' }),
		),
		rts: Type.Optional(
			Type.Boolean({ description: 'level of RTS once the port is open; default: as the system sets it' }),
		),
		framing: option(
			Type.Enum(['jsonl', 'csv', 'cobs']),
			'jsonl',
			'jsonl: one JSON document per line; csv: one row per line; cobs: CBOR and its CRC-16 between zero bytes',
		),
		checksum: option(
			Type.Boolean(),
			false,
			'jsonl and csv only: each line ends in * and the CRC-16/CCITT-FALSE of the bytes before it, in four hex digits',
		),
		csv: Type.Optional(CsvConfig),
		longestFrame: option(
			Type.Integer({ minimum: 64, maximum: 1_048_576 }),
			65_536,
			'longest frame in bytes; longer ones are discarded',
		),
		defaults: Type.Optional(
			Type.Object(
				{ sensorId: Type.Optional(SensorId), buildingId: Type.Optional(PlaceId), roomId: Type.Optional(PlaceId) },
				{ ...closed, description: 'fields for readings that do not have them' },
			),
		),
		timeZone: TimeZoneOption,
		sensorIds: Type.Optional(
			Type.Array(SensorId, {
				minItems: 1,
				description: 'sensors whose readings this port may send; default: the one in defaults, or any if there is none',
			}),
		),
		requireToken: option(Type.Boolean(), false, 'whether the device must begin with HELLO <deviceId> <token>'),
		silentAfter: withoutDefault(
			Duration,
			'a device that is silent for this long counts as stuck, and its port is reopened; default: never',
		),
		framesPerSecond: option(
			Type.Integer({ minimum: 1, maximum: 1_000_000 }),
			2000,
			'most frames per second; beyond it the port is read in portions and listed as flooding',
		),
	},
	closed,
);
export type SerialConfig = Static<typeof SerialConfig>;

/** Finds the mistakes in `sources.serial` that its schema cannot express. Paths are JSON Pointers. */
export function serialProblems(ports: unknown, metricKeys: readonly string[]): Problem[] {
	if (!Array.isArray(ports)) return [];
	const fields = new Set([...CSV_FIELDS, ...metricKeys]);
	return ports.flatMap((port: unknown, index) => {
		if (typeof port !== 'object' || port === null) return [];
		const at = `/sources/serial/${index}`;
		const { framing, checksum, csv, flowControl, identify, timeZone } = filled(SerialConfig, port as SerialConfig);
		const problems: Problem[] = timeZoneProblem(timeZone, at);
		// Without any of them the port is never found; two could contradict each other.
		if (['path', 'glob', 'usb'].filter((way) => Object.hasOwn(port, way)).length !== 1) {
			problems.push({ path: at, message: 'must have one of path, glob, usb' });
		}
		if (csv !== undefined && framing !== 'csv') problems.push({ path: `${at}/csv`, message: 'needs framing: csv' });
		if (checksum && framing === 'cobs')
			problems.push({ path: `${at}/checksum`, message: 'is for jsonl and csv; cobs always has a checksum' });
		if (flowControl === 'xonxoff' && framing === 'cobs') {
			problems.push({
				path: `${at}/flowControl`,
				message: 'must be none or rtscts: xonxoff reserves two byte values that cobs needs',
			});
		}
		if (csv !== undefined && csvOptions(csv).delimiter === csvOptions(csv).decimal) {
			problems.push({ path: `${at}/csv/decimal`, message: 'must differ from the delimiter' });
		}
		for (const [key, field] of Object.entries(csv?.columns ?? {})) {
			if (field === '' || fields.has(field)) continue;
			problems.push({ path: `${at}/csv/columns/${key}`, message: `must be one of ${[...fields].join(', ')}` });
		}
		const wrong = answerProblem(identify?.answer);
		if (wrong) problems.push({ path: `${at}/identify/answer`, message: wrong });
		return problems;
	});
}

function answerProblem(answer: unknown): string | undefined {
	if (typeof answer !== 'string') return undefined;
	try {
		// The empty alternative always matches, so the match shows how many groups there are.
		const groups = new RegExp(`${answer}|`).exec('')!.length - 1;
		return groups === 1 ? undefined : `must have one group, which matches the device's name; it has ${groups}`;
	} catch (error) {
		return `must be a regular expression: ${(error as Error).message}`;
	}
}
