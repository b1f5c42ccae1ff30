import { PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration } from '../../measures.ts';
import { CSV_FIELDS } from '../framing/csv-framing.ts';

const closed = { additionalProperties: false };
const Hex = (description: string) => Type.String({ pattern: '^[0-9A-Fa-f]{4}$', description });

/** Where a port is found, what its bytes mean, and which sensors it speaks for. */
export const SerialConfig = Type.Object(
	{
		path: Type.Optional(
			Type.String({
				minLength: 1,
				description:
					'stable path of the port. Below /dev/serial/by-path it names a USB socket, below /dev/serial/by-id a device that has a serial number',
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
						Type.String({ minLength: 1, description: 'of the adapter: it is found in whichever socket it is' }),
					),
					path: Type.Optional(
						Type.String({
							pattern: '^\\d+-\\d+(\\.\\d+)*$',
							description: 'a socket as /sys/bus/usb/devices names it, such as 1-1.2: whatever is in it',
						}),
					),
				},
				{
					...closed,
					minProperties: 1,
					description: 'the port whose adapter is all of this; two that are is a mistake, and neither is opened',
				},
			),
		),
		identify: Type.Optional(
			Type.Object(
				{
					device: Type.String({
						pattern: '^[\\x21-\\x7e]{1,128}$',
						description: 'what the device at the other end calls itself: 1..128 characters, no space',
					}),
					probe: Type.Optional(
						Type.String({
							minLength: 1,
							maxLength: 256,
							description: 'what it is asked; default HELLO? and a line end',
						}),
					),
					answer: Type.Optional(
						Type.String({
							maxLength: 256,
							description:
								'regular expression with one group: what it calls itself, in a line it answers; default: it says HELLO <device>',
						}),
					),
					every: Type.Optional(
						Type.String({
							...Duration,
							description: 'a duration such as 5s: until it answers it is asked again so often; default 2s',
						}),
					),
				},
				{
					...closed,
					description:
						'the port is the one whose device says so; of those that path, glob or usb name, all that are free are asked',
				},
			),
		),
		baudRate: Type.Optional(Type.Integer({ minimum: 50, maximum: 4_000_000, description: 'default 115200' })),
		dataBits: Type.Optional(Type.Enum([5, 6, 7, 8], { description: 'default 8' })),
		parity: Type.Optional(Type.Enum(['none', 'even', 'odd'], { description: 'default none' })),
		stopBits: Type.Optional(Type.Enum([1, 2], { description: 'default 1' })),
		flowControl: Type.Optional(
			Type.Enum(['none', 'rtscts', 'xonxoff'], {
				description: 'how a device is told to wait; default none. xonxoff does not go with cobs',
			}),
		),
		resetOnOpen: Type.Optional(
			Type.Boolean({
				description:
					'lets DTR fall when the port is closed, so that a board like an Arduino restarts when it is opened again; default false',
			}),
		),
		dtr: Type.Optional(
			Type.Boolean({ description: 'level of DTR once the port is open; default: as the system leaves it' }),
		),
		rts: Type.Optional(
			Type.Boolean({ description: 'level of RTS once the port is open; default: as the system leaves it' }),
		),
		framing: Type.Optional(
			Type.Enum(['jsonl', 'csv', 'cobs'], {
				description:
					'jsonl: a JSON document a line; csv: a row a line; cobs: CBOR and its CRC-16 between zero bytes; default jsonl',
			}),
		),
		checksum: Type.Optional(
			Type.Boolean({
				description:
					'of jsonl and csv: each line ends in * and the CRC-16/CCITT-FALSE of what stands before it, in four hex digits; default false',
			}),
		),
		csv: Type.Optional(
			Type.Object(
				{
					columns: Type.Optional(
						Type.Union(
							[
								Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 64 }),
								Type.Record(
									Type.String({ minLength: 1, maxLength: 64 }),
									Type.String({ minLength: 1, maxLength: 64 }),
									{ maxProperties: 64 },
								),
							],
							{
								description:
									'what each column is, by position (empty: nothing) or by its name in the header: sensorId, metric, value, unit, seq, boot, observedAt, buildingId, roomId, or a metric, whose value it then is; default: the header says it in these words',
							},
						),
					),
					delimiter: Type.Optional(
						Type.String({
							pattern: '^[^"\\r\\n0-9A-Za-z]$',
							description: 'one character that is no letter, digit or quote; default a comma',
						}),
					),
					decimal: Type.Optional(Type.Enum(['.', ','], { description: 'decimal mark; default a point' })),
				},
				closed,
			),
		),
		longestFrame: Type.Optional(
			Type.Integer({
				minimum: 64,
				maximum: 1_048_576,
				description: 'bytes of a frame, beyond which it is thrown away; default 65536',
			}),
		),
		defaults: Type.Optional(
			Type.Object(
				{ sensorId: Type.Optional(SensorId), buildingId: Type.Optional(PlaceId), roomId: Type.Optional(PlaceId) },
				{ ...closed, description: 'what a reading of this port is from, where it does not say so itself' },
			),
		),
		sensorIds: Type.Optional(
			Type.Array(SensorId, {
				minItems: 1,
				description: 'sensors this port may speak for; default: only the one of defaults, if any',
			}),
		),
		requireToken: Type.Optional(Type.Boolean({ description: 'the device must begin with HELLO <deviceId> <token>' })),
		silentAfter: Type.Optional(
			Type.String({
				...Duration,
				description:
					'a duration such as 10m: a device that says nothing for so long is taken for stuck, and its port opened anew; default: never',
			}),
		),
		framesPerSecond: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 1_000_000,
				description: 'beyond it the port is read in portions, and listed as flooding; default 2000',
			}),
		),
	},
	closed,
);
export type SerialConfig = Static<typeof SerialConfig>;

/** What the schema alone cannot say of `sources.serial`; paths as JSON Pointers. */
export function serialProblems(ports: unknown): Problem[] {
	if (!Array.isArray(ports)) return [];
	return ports.flatMap((port: unknown, index) => {
		if (typeof port !== 'object' || port === null) return [];
		const at = `/sources/serial/${index}`;
		const { framing = 'jsonl', checksum, csv, flowControl, identify } = port as SerialConfig;
		const problems: Problem[] = [];
		// In no way it is never found, in two they may not agree.
		if (['path', 'glob', 'usb'].filter((way) => Object.hasOwn(port, way)).length !== 1) {
			problems.push({ path: at, message: 'must have one of path, glob, usb' });
		}
		if (csv !== undefined && framing !== 'csv') problems.push({ path: `${at}/csv`, message: 'needs framing: csv' });
		if (checksum && framing === 'cobs')
			problems.push({ path: `${at}/checksum`, message: 'is for jsonl and csv; cobs has one of its own' });
		if (flowControl === 'xonxoff' && framing === 'cobs') {
			problems.push({
				path: `${at}/flowControl`,
				message: 'must be none or rtscts: xonxoff takes two bytes away that cobs needs',
			});
		}
		if (csv?.delimiter !== undefined && csv.delimiter === (csv.decimal ?? '.')) {
			problems.push({ path: `${at}/csv/decimal`, message: 'must be another than the delimiter' });
		}
		for (const [key, field] of Object.entries(csv?.columns ?? {})) {
			if (field === '' || CSV_FIELDS.includes(field)) continue;
			problems.push({ path: `${at}/csv/columns/${key}`, message: `must be one of ${CSV_FIELDS.join(', ')}` });
		}
		const wrong = answerProblem(identify?.answer);
		if (wrong) problems.push({ path: `${at}/identify/answer`, message: wrong });
		return problems;
	});
}

function answerProblem(answer: unknown): string | undefined {
	if (typeof answer !== 'string') return undefined;
	try {
		// An alternative that is empty always matches, and so tells how many groups there are.
		const groups = new RegExp(`${answer}|`).exec('')!.length - 1;
		return groups === 1 ? undefined : `must have one group, which is what the device calls itself; it has ${groups}`;
	} catch (error) {
		return `must be a regular expression: ${(error as Error).message}`;
	}
}
