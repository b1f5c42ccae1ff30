/** The schema of gateway.yaml, and its parser, which reports every mistake with its place. */
import { oneSpelling, validator } from '@crowdvision/contracts';
import { DEDUP_DEFAULTS } from '@crowdvision/log';
import { SettingsError } from '@crowdvision/service-kit';
import Type, { type Static } from 'typebox';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { Bridges } from '../bridge/config/bridge-config.ts';
import { bridgeProblems } from '../bridge/config/bridge-problems.ts';
import { MetricsConfig, metricKeysOf, metricsProblems } from '../catalog/metrics-config.ts';
import { ClockConfig } from '../clock/clock-config.ts';
import { type DecoderProblem, DecoderRule, decoderProblems } from '../decode/decoder-config.ts';
import { DevicesConfig, timeoutProblems } from '../devices/devices-config.ts';
import { DownlinkConfig } from '../downlink/downlink-config.ts';
import { HomeAssistantConfig } from '../home-assistant/home-assistant-config.ts';
import { Duration, durationText, Size } from '../measures.ts';
import { OccupancyConfig, occupancyProblems } from '../occupancy/occupancy-config.ts';
import { option, withoutDefault } from '../options.ts';
import { MqttConfig } from '../sources/mqtt/broker/mqtt-config.ts';
import { SerialConfig, serialProblems } from '../sources/serial/serial-config.ts';
import { RecorderConfig } from '../trace/recorder-config.ts';
import { unseenNames } from './unseen-names.ts';
import { offsetInSource } from './yaml-text.ts';

const closed = { additionalProperties: false };

export const LogConfig = Type.Object(
	{
		maxBytes: option(Size, '512MiB', 'how much of the disk the log may take'),
		maxAge: option(Duration, '7d', 'readings older than this are given up'),
		whenFull: option(
			Type.Enum(['refuse', 'drop-oldest', 'drop-newest', 'thin']),
			'refuse',
			'what happens when the log is full of readings that some consumer has not read yet. thin: well before that, ' +
				'only the last, the lowest and the highest reading of each sensor and minute are kept',
		),
		commitEvery: option(
			Duration,
			'0ms',
			'how long a commit to the disk waits for further readings; 250ms spares an SD card',
		),
	},
	closed,
);

/** `configuration`: how a change of gateway.yaml is applied. */
export const TrialConfig = Type.Object(
	{
		trial: option(
			Type.String({ pattern: '^\\d{1,9} ?(s|m|h)$', description: 'a duration such as 60s' }),
			'60s',
			'how long a change of this file is on trial: it is undone when an uplink, a way in or the ledger suffers ' +
				'within this time; 0s applies changes without a trial',
		),
	},
	{ ...closed, description: 'how a change of this file is applied while the gateway runs' },
);

export const DedupConfig = Type.Object(
	{
		window: option(
			Duration,
			durationText(DEDUP_DEFAULTS.maxAgeSeconds * 1000),
			'how long a reading is remembered, so that its redelivery is recognized; measured in time the gateway runs',
		),
		readings: option(
			Type.Integer({ minimum: 1, maximum: 1_000_000 }),
			DEDUP_DEFAULTS.maxPerSource,
			'how many readings of one sensor and metric are remembered',
		),
	},
	{ ...closed, description: 'recognizing redelivered readings' },
);

export const LimitsConfig = Type.Object(
	{
		messagesPerSecond: option(
			Type.Integer({ minimum: 1, maximum: 1_000_000 }),
			20_000,
			'most messages a second from one device',
		),
		messagesPerSecondPerAddress: option(
			Type.Integer({ minimum: 1, maximum: 10_000_000 }),
			100_000,
			'most messages a second from one network address',
		),
	},
	closed,
);

/** gateway.yaml. Every key is optional; the environment wins over the file. */
export const GatewayFile = Type.Object(
	{
		gatewayId: withoutDefault(
			Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: '1..64 of A-Z a-z 0-9 . _ -' }),
			'name of this gateway; default: the host name',
		),
		sources: Type.Optional(
			Type.Object(
				{
					serial: Type.Optional(Type.Array(SerialConfig, { maxItems: 64 })),
					mqtt: Type.Optional(MqttConfig),
				},
				closed,
			),
		),
		metrics: Type.Optional(MetricsConfig),
		decoders: withoutDefault(
			Type.Array(DecoderRule, { maxItems: 256 }),
			'which decoder reads which messages; the first entry that matches counts',
		),
		log: Type.Optional(LogConfig),
		configuration: Type.Optional(TrialConfig),
		clock: Type.Optional(ClockConfig),
		dedup: Type.Optional(DedupConfig),
		occupancy: Type.Optional(OccupancyConfig),
		limits: Type.Optional(LimitsConfig),
		devices: Type.Optional(DevicesConfig),
		downlink: Type.Optional(DownlinkConfig),
		homeAssistant: Type.Optional(HomeAssistantConfig),
		redis: Type.Optional(
			Type.Object(
				{ url: Type.String({ pattern: '^rediss?://', description: 'a URL that begins with redis:// or rediss://' }) },
				closed,
			),
		),
		bridges: Type.Optional(Bridges),
		recorder: Type.Optional(RecorderConfig),
	},
	closed,
);
export type GatewayFile = Static<typeof GatewayFile>;
const gatewayFile = validator(GatewayFile);

/**
 * Parses and validates the text of gateway.yaml.
 * @param name of the file, for messages
 * @throws SettingsError with a line for each mistake: file:line:column, what is wrong, what is allowed
 */
export function parseGatewayFile(name: string, source: string): GatewayFile {
	const lines = new LineCounter();
	const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: isSameKey });
	const at = (position: number) => {
		const { line, col } = lines.linePos(position);
		return `${name}:${line}:${col}`;
	};
	if (document.errors.length > 0)
		throw new SettingsError(
			document.errors.map((error) => `${at(error.pos[0])}: ${messageOf(error, source)}`).join('\n'),
		);
	let value: unknown;
	try {
		value = document.toJS() ?? {};
	} catch (error) {
		// Aliases that would grow without end.
		throw new SettingsError(`${at(0)}: ${(error as Error).message}`);
	}
	const problems = problemsOf(value);
	if (problems.length === 0) return value as GatewayFile;
	throw new SettingsError(
		problems
			.map((problem) => placed(problem, document, source))
			.sort((a, b) => a.position - b.position)
			.map(({ position, text }) => `${at(position)}: ${text}`)
			.join('\n'),
	);
}

/** Whether two keys of a map are one, also where only one of them is written with decomposed letters. */
const isSameKey = (a: unknown, b: unknown): boolean =>
	a === b || (isScalar(a) && isScalar(b) && oneSpelling(String(a.value)) === oneSpelling(String(b.value)));

function messageOf({ code, message, pos }: YAMLError, source: string): string {
	if (code !== 'DUPLICATE_KEY') return message;
	const [key = ''] = /^[^:\n]*/.exec(source.slice(pos[0])) ?? [];
	return `${key.trim().slice(0, 100)} is given twice in the same map: keep one of the two`;
}

/** Every mistake that the schema or one of the parts finds. */
function problemsOf(value: unknown): DecoderProblem[] {
	const file = value as Partial<GatewayFile> | undefined;
	const metricKeys = metricKeysOf(file?.metrics);
	const problems = [
		...gatewayFile.problems(value),
		...unseenNames(value, ''),
		...serialProblems(file?.sources?.serial, metricKeys),
		...metricsProblems(file?.metrics),
		...decoderProblems(file?.decoders, metricKeys),
		...timeoutProblems(file?.devices, metricKeys),
		...bridgeProblems(file?.bridges),
	];
	return problems.length > 0 ? problems : occupancyProblems(file?.occupancy ?? {});
}

/** Where a mistake is in the text, as an offset, and how it is reported. */
function placed({ path, message, offset = 0 }: DecoderProblem, document: Document, source: string) {
	const keys = path
		.split('/')
		.slice(1)
		.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
	const position = positionOf(document, keys, message.startsWith('is not known here'));
	return {
		position: position + offsetInSource(source, document.getIn(keys, true), offset),
		text: `${keys.join('.') || 'the file'} ${message}`,
	};
}

/**
 * Where the value at these keys begins, or its key where `keyIsWrong`. A value that is missing is placed where the one
 * around it begins.
 */
function positionOf(document: Document, keys: string[], keyIsWrong: boolean): number {
	for (let depth = keys.length; depth > 0; depth--) {
		const around = document.getIn(keys.slice(0, depth - 1), true);
		const pair = isMap(around)
			? around.items.find(({ key }) => isScalar(key) && String(key.value) === keys[depth - 1])
			: undefined;
		const node = pair ? (keyIsWrong ? pair.key : (pair.value ?? pair.key)) : document.getIn(keys.slice(0, depth), true);
		if (isNode(node) && node.range) return node.range[0];
	}
	return document.contents?.range?.[0] ?? 0;
}
