import type { ThresholdSet } from '../building/thresholds.ts';

/** Durable streams: every entry is consumed by each group at least once. */
export const STREAMS = {
	/** One entry per reading, field `reading`. Appended by the gateway only. */
	telemetry: 'telemetry',
	/** Commands to devices, consumed by the gateway. */
	commands: 'commands',
	/** What became of each command. */
	commandResults: 'command-results',
} as const;
export type StreamName = (typeof STREAMS)[keyof typeof STREAMS];

/** The Redis field that carries an entry of each stream. */
export const STREAM_FIELDS: Record<StreamName, string> = {
	telemetry: 'reading',
	commands: 'command',
	'command-results': 'result',
};

/** Live channels: whoever listens now hears it, nobody else. */
export const CHANNELS = {
	notifications: 'notifications',
	devices: 'devices',
} as const;

/** The Redis channel on which the readings of a building are published as they are appended to the stream. */
export function telemetryChannel(buildingId: string): string {
	return `telemetry:${buildingId}`;
}

/** Retained tables: the last value per key, told to every watcher at once and at each change. */
export const TABLES = {
	/** Key: building id. Value: RetainedBuilding. Kept by twin. */
	buildings: 'registry:buildings',
	/** Key: sensor id. Value: RetainedSensor. Kept by twin. */
	sensors: 'registry:sensors',
	/** Key: sensor id. Value: RetainedAdoption. Kept by gateways until twin has taken it into `sensors`. */
	adoptions: 'registry:adoptions',
	/** Key: device id. Value: RetainedRevocation. Kept by auth. */
	revokedDevices: 'registry:revoked-devices',
	/**
	 * Key: key id. Value: a public JWK of auth's, for as long as it verifies tokens. Kept by auth where it signs by key
	 * pair.
	 */
	signingKeys: 'registry:signing-keys',
	/**
	 * Key: account id. Value: RetainedSessions. Kept by auth for as long as a token that is meant could still be good.
	 */
	revokedSessions: 'registry:revoked-sessions',
} as const;
export type TableName = (typeof TABLES)[keyof typeof TABLES];

/** What every service may know of a building without asking twin. */
export interface RetainedBuilding {
	id: string;
	name: string;
	domains: string[];
	/** IANA name; buckets of a day and quiet hours follow it. UTC where it is left out. */
	timeZone?: string;
	rooms: RetainedRoom[];
}

export interface RetainedRoom {
	id: string;
	name: string;
	capacity: number;
	floor?: number | string;
	/** The limits that hold in this room, whatever they come from. */
	limits?: ThresholdSet;
}

/** Where a registered sensor stands. */
export interface RetainedSensor {
	sensorId: string;
	buildingId: string;
	roomId: string;
}

/** A sensor that was given a place at a gateway, or that of another one, and is to be registered there. */
export interface RetainedAdoption extends RetainedSensor {
	/** The sensor whose place it takes, and which is registered no more. */
	replaces?: string;
	gatewayId: string;
	at: number;
	/** Twin's answer where it does not take it in: why, for a person. */
	refused?: string;
}

/** Device tokens issued (`iat`) at or before `before`, in epoch seconds, are void. */
export interface RetainedRevocation {
	before: number;
}

/**
 * An account's tokens issued (`iat`) at or before `before`, in epoch seconds, are void, and so are those whose `jti` is
 * among `sessions`.
 */
export interface RetainedSessions {
	before: number;
	sessions: string[];
}

/** MQTT topics the gateway speaks. */
export const TOPICS = {
	telemetry: 'telemetry',
	status: 'status',
	command: 'command',
} as const;

/** Published on `devices` when a device comes or goes. */
export interface DeviceEvent {
	sensorId: string;
	state: 'online' | 'offline';
	at: number;
	gatewayId: string;
}
