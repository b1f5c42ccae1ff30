/** Reads the environment and gateway.yaml into the configuration that the gateway is built from. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { WhenFull } from '@crowdvision/log';
import {
	COMMON_SETTINGS,
	integer,
	type MetricsSettings,
	readSettings,
	SettingsError,
	text,
} from '@crowdvision/service-kit';
import type { BridgeConfig } from '../bridge/config/bridge-config.ts';
import type { MetricsConfig } from '../catalog/metrics-config.ts';
import { type ClockOptions, clockOptions } from '../clock/clock-config.ts';
import { type LoadedRule, loadRules } from '../decode/decoder-config.ts';
import type { DevicesConfig } from '../devices/devices-config.ts';
import { DownlinkConfig } from '../downlink/downlink-config.ts';
import type { HomeAssistantConfig } from '../home-assistant/home-assistant-config.ts';
import { bytes, milliseconds, timerMilliseconds } from '../measures.ts';
import type { OccupancyConfig } from '../occupancy/occupancy-config.ts';
import { filled } from '../options.ts';
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
import type { SerialConfig } from '../sources/serial/serial-config.ts';
import type { RecorderConfig } from '../trace/recorder-config.ts';
import { DedupConfig, LimitsConfig, LogConfig, parseGatewayFile, TrialConfig } from './gateway-file.ts';

/** The environment variables of the gateway. */
export const GATEWAY_SETTINGS = {
	...COMMON_SETTINGS,
	MQTT_PORT: integer(
		'port of MQTT over TCP; 0 chooses a free port',
		String(MqttConfig.properties.port.default),
		0,
		65_535,
	),
	MQTTS_PORT,
	GATEWAY_CONFIG: text('configuration file of the gateway', './gateway.yaml'),
	SERIAL_ROOT: text('folder that holds dev and sys, in which serial ports are looked for', '/'),
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
	jwtSigning: 'secret' | 'keypair';
	/** Longest validity of a device's token. */
	deviceTokenMaxDays: number;
	logLevel: string;
	/** Addresses of proxies whose X-Forwarded-For is believed. */
	trustProxy: string[];
	/** Who may read /metrics. */
	metricsAccess: MetricsSettings;
	/** From one client address, /ingest not counted; 0: any number. */
	requestsPerMinute: number;
	serial: SerialConfig[];
	/** Folder that stands for `/` where serial ports are looked for. */
	serialRoot: string;
	metrics: MetricsConfig;
	decoders: LoadedRule[];
	log: { maxBytes: number; maxAgeMs: number; whenFull: WhenFull; commitEveryMs: number };
	/** How long a change of gateway.yaml is on trial; 0: not at all. */
	trialSeconds: number;
	clock: ClockOptions;
	dedup: { maxAgeSeconds: number; maxPerSource: number };
	messagesPerSecond: number;
	messagesPerSecondPerAddress: number;
	devices: DevicesConfig;
	downlink: Required<DownlinkConfig>;
	/** The limits that differ from MQTT_LIMITS. */
	mqttLimits: Partial<MqttLimits>;
	mqttTls: MqttTls | undefined;
	/** The bounds that differ from SESSION_BOUNDS. */
	sessions: Partial<SessionBounds>;
	bridges: BridgeConfig[];
	occupancy: OccupancyConfig;
	homeAssistant: HomeAssistantConfig;
	recorder: RecorderConfig;
}

/** Where gateway.yaml is. */
export function gatewayFilePath(env: NodeJS.ProcessEnv): string {
	return env.GATEWAY_CONFIG || GATEWAY_SETTINGS.GATEWAY_CONFIG.default;
}

/**
 * Reads the environment and gateway.yaml.
 * @throws SettingsError with every mistake: variable, or file, line and column; what it was, and what is allowed
 */
export function readGatewayConfig(env: NodeJS.ProcessEnv): GatewayConfig {
	return configFrom(env, () => readGatewayFile(env));
}

/** As `readGatewayConfig`, with `text` as the content of gateway.yaml. @throws SettingsError */
export function gatewayConfigOf(env: NodeJS.ProcessEnv, text: string): GatewayConfig {
	return configFrom(env, () => text);
}

/** Reads the text of gateway.yaml; empty for a missing file that GATEWAY_CONFIG does not name. @throws SettingsError */
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

function configFrom(env: NodeJS.ProcessEnv, read: () => string): GatewayConfig {
	const { settings, file } = bothOrAllMistakes(
		() => readSettings(GATEWAY_SETTINGS, env),
		() => parseGatewayFile(gatewayFilePath(env), read()),
	);
	const mqtt = file.sources?.mqtt;
	const log = filled(LogConfig, file.log);
	const dedup = filled(DedupConfig, file.dedup);
	return {
		gatewayId: file.gatewayId ?? gatewayIdOfHost(),
		host: settings.HOST,
		port: settings.PORT,
		mqttPort: env.MQTT_PORT ? settings.MQTT_PORT : filled(MqttConfig, mqtt).port,
		dataDir: settings.DATA_DIR,
		redisUrl: settings.REDIS_URL ?? file.redis?.url,
		jwtSecret: settings.JWT_SECRET,
		...(settings.JWT_SECRET_PREVIOUS !== undefined && { jwtSecretPrevious: settings.JWT_SECRET_PREVIOUS }),
		jwtSigning: settings.JWT_SIGNING,
		deviceTokenMaxDays: settings.DEVICE_TOKEN_MAX_DAYS,
		logLevel: settings.LOG_LEVEL,
		trustProxy: settings.TRUST_PROXY,
		metricsAccess: { METRICS_FROM: settings.METRICS_FROM, METRICS_TOKEN: settings.METRICS_TOKEN },
		requestsPerMinute: settings.RATE_LIMIT,
		serial: file.sources?.serial ?? [],
		serialRoot: settings.SERIAL_ROOT,
		metrics: file.metrics ?? [],
		decoders: loadRules(file.decoders ?? []),
		log: {
			maxBytes: bytes(log.maxBytes),
			maxAgeMs: milliseconds(log.maxAge),
			whenFull: log.whenFull,
			commitEveryMs: timerMilliseconds(log.commitEvery),
		},
		trialSeconds: milliseconds(filled(TrialConfig, file.configuration).trial) / 1000,
		clock: clockOptions(file.clock),
		dedup: { maxAgeSeconds: milliseconds(dedup.window) / 1000, maxPerSource: dedup.readings },
		...filled(LimitsConfig, file.limits),
		devices: file.devices ?? {},
		downlink: filled(DownlinkConfig, file.downlink),
		mqttLimits: mqttLimitsOf(mqtt),
		mqttTls: mqttTlsOf(mqtt, env.MQTTS_PORT ? settings.MQTTS_PORT : undefined),
		sessions: sessionBoundsOf(mqtt),
		bridges: file.bridges ?? [],
		occupancy: file.occupancy ?? {},
		homeAssistant: file.homeAssistant ?? {},
		recorder: file.recorder ?? {},
	};
}

/** The host name, with what a gateway's id cannot hold replaced. */
function gatewayIdOfHost(): string {
	return (
		hostname()
			.replace(/[^A-Za-z0-9._-]/g, '-')
			.slice(0, 64) || 'gateway'
	);
}

/** The results of both. @throws SettingsError with the mistakes of both */
function bothOrAllMistakes<S, F>(readEnvironment: () => S, readFile: () => F): { settings: S; file: F } {
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
