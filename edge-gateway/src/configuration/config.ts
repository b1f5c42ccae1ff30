import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { validator } from '@crowdvision/contracts';
import type { WhenFull } from '@crowdvision/log';
import { COMMON_SETTINGS, integer, readSettings, SettingsError, text } from '@crowdvision/service-kit';
import Type, { type Static } from 'typebox';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { type BridgeConfig, Bridges } from '../bridge/config/bridge-config.ts';
import { bridgeProblems } from '../bridge/config/bridge-problems.ts';
import { ClockConfig, type ClockOptions } from '../clock/clock-config.ts';
import { type DecoderProblem, DecoderRule, decoderProblems } from '../decode/decoder-config.ts';
import { DevicesConfig } from '../devices/devices-config.ts';
import { DOWNLINK_DEFAULTS, DownlinkConfig } from '../downlink/downlink-config.ts';
import { HomeAssistantConfig } from '../home-assistant/home-assistant-config.ts';
import { bytes, Duration, milliseconds, Size, timerMilliseconds } from '../measures.ts';
import { OccupancyConfig, occupancyProblems } from '../occupancy/occupancy-config.ts';
import {
	MQTTS_PORT,
	MqttConfig,
	type MqttTls,
	mqttLimitsOf,
	mqttTlsOf,
	sessionBoundsOf,
} from '../sources/mqtt/broker/mqtt-config.ts';
import type { MqttLimits } from '../sources/mqtt/connection/limits.ts';
import type { SessionBounds } from '../sources/mqtt/sessions/session-bounds.ts';
import { SerialConfig, serialProblems } from '../sources/serial/serial-config.ts';
import { RecorderConfig } from '../trace/recorder-config.ts';
import { ConfigurationConfig } from './configuration-config.ts';
import { offsetInSource } from './yaml-text.ts';

const closed = { additionalProperties: false };

/** gateway.yaml. Every key is optional; the environment wins over the file. */
export const GatewayFile = Type.Object(
	{
		gatewayId: Type.Optional(
			Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: '1..64 of A-Z a-z 0-9 . _ -' }),
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
		decoders: Type.Optional(
			Type.Array(DecoderRule, {
				maxItems: 256,
				description: 'which decoder reads which messages; the first that matches',
			}),
		),
		log: Type.Optional(
			Type.Object(
				{
					maxBytes: Type.Optional({ ...Size, title: 'what the log may take of the disk', default: '512MiB' }),
					maxAge: Type.Optional({ ...Duration, title: 'readings older than this are given up', default: '7d' }),
					whenFull: Type.Optional(
						Type.Enum(['refuse', 'drop-oldest', 'drop-newest', 'thin'], {
							description:
								'what happens when the log is full of what some consumer has still to read. thin: well before that, of each sensor and minute only the last, the lowest and the highest reading stay. Default refuse',
						}),
					),
					commitEvery: Type.Optional({
						...Duration,
						title: 'how long a commit waits for company; 250ms spares an SD card',
						default: '0ms',
					}),
				},
				closed,
			),
		),
		configuration: Type.Optional(ConfigurationConfig),
		clock: Type.Optional(ClockConfig),
		dedup: Type.Optional(
			Type.Object(
				{ window: Type.Optional(Duration), readings: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })) },
				closed,
			),
		),
		occupancy: Type.Optional(OccupancyConfig),
		limits: Type.Optional(
			Type.Object(
				{
					messagesPerSecond: Type.Optional(
						Type.Integer({
							minimum: 1,
							maximum: 1_000_000,
							description: 'messages a second that one device may send; default 20000',
						}),
					),
					messagesPerSecondPerAddress: Type.Optional(
						Type.Integer({
							minimum: 1,
							maximum: 10_000_000,
							description: 'messages a second that one network address may send; default 100000',
						}),
					),
				},
				closed,
			),
		),
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

export const GATEWAY_SETTINGS = {
	...COMMON_SETTINGS,
	MQTT_PORT: integer('MQTT port; 0 takes a free one', '1883', 0, 65_535),
	MQTTS_PORT,
	GATEWAY_CONFIG: text('configuration file of the gateway', './gateway.yaml'),
	SERIAL_ROOT: text('folder below which dev and sys are, where serial ports are looked for', '/'),
} as const;

/** Everything the gateway is built from. Sizes in bytes, durations in ms. */
export interface GatewayConfig {
	gatewayId: string;
	host: string;
	port: number;
	mqttPort: number;
	dataDir: string;
	redisUrl: string | undefined;
	jwtSecret: string | undefined;
	jwtSecretPrevious?: string | undefined;
	/** Default: by secret. */
	jwtSigning?: 'secret' | 'keypair';
	logLevel: string;
	/** Whose X-Forwarded-For is believed. */
	trustProxy: string[];
	/** Of one client address, /ingest not counted; 0: any number. */
	requestsPerMinute: number;
	serial: SerialConfig[];
	/** Folder that stands for `/` where serial ports are looked for. */
	serialRoot: string;
	decoders: DecoderRule[];
	log: { maxBytes: number; maxAgeMs: number; whenFull: WhenFull; commitEveryMs: number };
	/** How long a change of gateway.yaml is on trial; 0: not at all. Default 60. */
	trialSeconds?: number;
	/** Default: clock/clock-config.ts. */
	clock?: ClockOptions;
	dedup: { maxAgeSeconds: number; maxPerSource: number };
	messagesPerSecond: number;
	devices: DevicesConfig;
	downlink: Required<DownlinkConfig>;
	messagesPerSecondPerAddress: number;
	/** Where they are not the house's own. */
	mqttLimits?: Partial<MqttLimits>;
	mqttTls?: MqttTls | undefined;
	sessions?: Partial<SessionBounds>;
	bridges?: BridgeConfig[];
	occupancy?: OccupancyConfig;
	/** Default: off. */
	homeAssistant?: HomeAssistantConfig;
	recorder?: RecorderConfig;
}

/** Where gateway.yaml is. */
export function gatewayFilePath(env: NodeJS.ProcessEnv): string {
	return env.GATEWAY_CONFIG || GATEWAY_SETTINGS.GATEWAY_CONFIG.default;
}

/**
 * Reads the environment and gateway.yaml.
 * @throws SettingsError with every mistake: variable, or file, line and column; what it was, and what is allowed.
 */
export function readGatewayConfig(env: NodeJS.ProcessEnv): GatewayConfig {
	return configFrom(env, () => readGatewayFile(env));
}

/** The same with `text` as what stands in gateway.yaml. @throws SettingsError */
export function gatewayConfigOf(env: NodeJS.ProcessEnv, text: string): GatewayConfig {
	return configFrom(env, () => text);
}

function configFrom(env: NodeJS.ProcessEnv, read: () => string): GatewayConfig {
	const { settings, file } = together(
		() => readSettings(GATEWAY_SETTINGS, env),
		() => parseGatewayFile(gatewayFilePath(env), read()),
	);
	const { log = {}, clock = {}, dedup = {} } = file;
	return {
		gatewayId:
			file.gatewayId ??
			(hostname()
				.replace(/[^A-Za-z0-9._-]/g, '-')
				.slice(0, 64) ||
				'gateway'),
		host: settings.HOST,
		port: settings.PORT,
		mqttPort: env.MQTT_PORT ? settings.MQTT_PORT : (file.sources?.mqtt?.port ?? settings.MQTT_PORT),
		dataDir: settings.DATA_DIR,
		redisUrl: settings.REDIS_URL ?? file.redis?.url,
		jwtSecret: settings.JWT_SECRET,
		...(settings.JWT_SECRET_PREVIOUS !== undefined && { jwtSecretPrevious: settings.JWT_SECRET_PREVIOUS }),
		jwtSigning: settings.JWT_SIGNING,
		logLevel: settings.LOG_LEVEL,
		trustProxy: settings.TRUST_PROXY,
		requestsPerMinute: settings.RATE_LIMIT,
		serial: file.sources?.serial ?? [],
		serialRoot: settings.SERIAL_ROOT,
		decoders: file.decoders ?? [],
		log: {
			maxBytes: bytes(log.maxBytes ?? '512MiB'),
			maxAgeMs: milliseconds(log.maxAge ?? '7d'),
			whenFull: log.whenFull ?? 'refuse',
			commitEveryMs: timerMilliseconds(log.commitEvery ?? '0ms'),
		},
		trialSeconds: milliseconds(file.configuration?.trial ?? '60s') / 1000,
		clock: { waitForMs: milliseconds(clock.waitFor ?? '10m'), holdoverMs: milliseconds(clock.holdover ?? '24h') },
		dedup: { maxAgeSeconds: milliseconds(dedup.window ?? '10m') / 1000, maxPerSource: dedup.readings ?? 10_000 },
		occupancy: file.occupancy ?? {},
		...(file.recorder && { recorder: file.recorder }),
		messagesPerSecond: file.limits?.messagesPerSecond ?? 20_000,
		devices: file.devices ?? {},
		downlink: { ...DOWNLINK_DEFAULTS, ...file.downlink },
		messagesPerSecondPerAddress: file.limits?.messagesPerSecondPerAddress ?? 100_000,
		mqttLimits: mqttLimitsOf(file.sources?.mqtt),
		mqttTls: mqttTlsOf(file.sources?.mqtt, env.MQTTS_PORT ? settings.MQTTS_PORT : undefined),
		sessions: sessionBoundsOf(file.sources?.mqtt),
		bridges: file.bridges ?? [],
		homeAssistant: file.homeAssistant ?? {},
	};
}

/** Both, or the mistakes of both. */
function together<S, F>(readEnvironment: () => S, readFile: () => F): { settings: S; file: F } {
	let settings: S;
	try {
		settings = readEnvironment();
	} catch (error) {
		if (!(error instanceof SettingsError)) throw error;
		try {
			readFile();
		} catch (inFile) {
			if (inFile instanceof SettingsError) throw new SettingsError(`${error.message}\n${inFile.message}`);
		}
		throw error;
	}
	return { settings, file: readFile() };
}

/** The text of gateway.yaml; none, where there is none and nobody asked for it. @throws SettingsError */
export function readGatewayFile(env: NodeJS.ProcessEnv): string {
	const path = gatewayFilePath(env);
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !env.GATEWAY_CONFIG) return '';
		throw new SettingsError(
			`GATEWAY_CONFIG is ${JSON.stringify(path)}, which cannot be read: ${(error as Error).message}`,
		);
	}
}

/**
 * Parses and validates gateway.yaml.
 * @throws SettingsError, a line for each mistake: file:line:column, what is wrong, what is allowed.
 */
export function parseGatewayFile(name: string, source: string): GatewayFile {
	const lines = new LineCounter();
	const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
	const at = (position: number) => {
		const { line, col } = lines.linePos(position);
		return `${name}:${line}:${col}`;
	};
	if (document.errors.length > 0)
		throw new SettingsError(document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`).join('\n'));
	let value: unknown;
	try {
		value = document.toJS() ?? {};
	} catch (error) {
		// Aliases that would grow without end.
		throw new SettingsError(`${at(0)}: ${(error as Error).message}`);
	}
	const problems: DecoderProblem[] = [
		...gatewayFile.problems(value),
		...serialProblems((value as GatewayFile | undefined)?.sources?.serial),
		...decoderProblems((value as GatewayFile | undefined)?.decoders),
		...bridgeProblems((value as { bridges?: unknown }).bridges),
	];
	if (problems.length === 0) problems.push(...occupancyProblems((value as GatewayFile).occupancy ?? {}));
	if (problems.length === 0) return value as GatewayFile;
	throw new SettingsError(
		problems
			.map(({ path, message, offset = 0 }) => {
				const keys = path
					.split('/')
					.slice(1)
					.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
				const position = positionOf(document, keys, message.startsWith('is not known here'));
				return {
					position: position + offsetInSource(source, document.getIn(keys, true), offset),
					line: `${keys.join('.') || 'the file'} ${message}`,
				};
			})
			.sort((a, b) => a.position - b.position)
			.map(({ position, line }) => `${at(position)}: ${line}`)
			.join('\n'),
	);
}

/**
 * Where the value at these keys begins, or its key where that is what is wrong; what is around it where there is none.
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
