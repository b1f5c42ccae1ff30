import type { Language } from '../account/auth-requests.ts';
import type { Membership } from '../account/claims.ts';
import type { ThresholdSet } from '../building/thresholds.ts';
import type { Generational } from '../generation.ts';
import type { RoomCombine } from '../reading/combine.ts';

/** Durable streams: every entry is consumed by each group at least once. */
export const STREAMS = {
	/** One entry per reading, field `reading`. Appended by the gateway only. */
	telemetry: 'telemetry',
	/** Commands to devices, consumed by the gateway. */
	commands: 'commands',
	/** The outcome of each command. */
	commandResults: 'command-results',
} as const;
export type StreamName = (typeof STREAMS)[keyof typeof STREAMS];

/** The Redis field that carries an entry of each stream. */
export const STREAM_FIELDS: Record<StreamName, string> = {
	telemetry: 'reading',
	commands: 'command',
	'command-results': 'result',
};

/** Live channels: a message reaches the present listeners only. */
export const CHANNELS = {
	notifications: 'notifications',
	devices: 'devices',
} as const;

/** The Redis channel on which the readings of a building are published as they are appended to the stream. */
export function telemetryChannel(buildingId: string): string {
	return `telemetry:${buildingId}`;
}

/** Retained tables: the last value per key, sent to every watcher at its start and at each change. */
export const TABLES = {
	/** Key: building id. Value: RetainedBuilding. Written by twin. */
	buildings: 'registry:buildings',
	/** Key: building id. Value: RetainedRemoval, until a building of this id is made again. Written by twin. */
	removedBuildings: 'registry:removed-buildings',
	/** Key: as `sensorKey`. Value: RetainedSensor. Written by twin. */
	sensors: 'registry:sensors',
	/** Key: as `sensorKey`. Value: RetainedAdoption. Written by gateways until twin has added it to `sensors`. */
	adoptions: 'registry:adoptions',
	/** Key: metric. Value: RetainedMetric. Written by the gateways whose configuration defines it. */
	metrics: 'registry:metrics',
	/** Key: device id. Value: RetainedRevocation. Written by auth. */
	revokedDevices: 'registry:revoked-devices',
	/** Key: key id. Value: a public JWK while it verifies tokens. Written by auth if tokens are signed by key pair. */
	signingKeys: 'registry:signing-keys',
	/** Key: account id. Value: RetainedSessions. Written by auth while a token concerned could still be valid. */
	revokedSessions: 'registry:revoked-sessions',
	/** Key: account id. Value: RetainedAccountRemoval, for a year. Written by auth. */
	removedAccounts: 'registry:removed-accounts',
	/** Key: account id. Value: RetainedAccount. Written by auth; an account that is not here is a member of nothing. */
	accounts: 'registry:accounts',
	/**
	 * Key: building id. Value: `{policy, generation?}`, how people are called. Written by notification once one was set.
	 */
	policies: 'registry:policies',
} as const;
export type TableName = (typeof TABLES)[keyof typeof TABLES];

/** A building as every service may know it without asking twin. */
export interface RetainedBuilding extends Generational {
	id: string;
	name: string;
	domains: string[];
	/** IANA name, for daily buckets and quiet hours. Default UTC. */
	timeZone?: string;
	rooms: RetainedRoom[];
}

export interface RetainedRoom extends Generational {
	id: string;
	name: string;
	capacity: number;
	floor?: number | string;
	/** The limits that apply in this room, from whatever source. */
	limits?: ThresholdSet;
	/** How several sensors of it become one value, where the catalog does not say it. */
	combine?: RoomCombine;
}

/** That a building was removed: every service forgets what it keeps of it. */
export interface RetainedRemoval {
	/** Epoch ms. */
	at: number;
	/** Of the removed building; absent for one that an earlier version made. */
	generation?: string;
}

/** The place of a registered sensor. Its id belongs to the tenants of its building: others may have the same. */
export interface RetainedSensor {
	sensorId: string;
	buildingId: string;
	roomId: string;
	/** How often it speaks, in seconds, where somebody said so; the gateway learns it otherwise. */
	cadenceSeconds?: number;
}

/** A sensor that got its place, or the place of another sensor, at a gateway, and is to be registered there. */
export interface RetainedAdoption extends RetainedSensor {
	/** The sensor that it replaces, which is no longer registered. */
	replaces?: string;
	gatewayId: string;
	at: number;
	/** Of the room: in another room of its id the sensor has no place. */
	generation?: string;
	/** Twin's reason for refusing it, for a person. */
	refused?: string;
}

/** Device tokens issued (`iat`) at or before `before`, in epoch seconds, are void. */
export interface RetainedRevocation {
	before: number;
}

/** Account tokens issued (`iat`) at or before `before`, in epoch seconds, or with a `jti` in `sessions` are void. */
export interface RetainedSessions {
	before: number;
	sessions: string[];
}

/** That an account was deleted: every service deletes what it keeps for it. Ids of accounts are not used again. */
export interface RetainedAccountRemoval {
	/** Epoch ms. */
	at: number;
}

/** An account as every service may know it without asking auth. */
export interface RetainedAccount {
	name: string;
	/** Absent where it never told one. */
	language?: Language;
	email?: string;
	/** Whether the address was confirmed by a link that was sent to it: only then are messages sent there. */
	emailConfirmed: boolean;
	memberships: Membership[];
	/** Rises when its password changes: what was issued for an earlier generation is void. */
	generation: number;
}

/** First levels of the gateway's MQTT topics. */
export const TOPICS = {
	telemetry: 'telemetry',
	status: 'status',
	command: 'command',
} as const;

/** Published on `devices` when a device goes online or offline. */
export interface DeviceEvent {
	sensorId: string;
	state: 'online' | 'offline';
	at: number;
	gatewayId: string;
	/** Of the device that sends for it; absent for a port of a machine. */
	domainName?: string;
	/** The building of its latest reading, and the generation of its room. */
	buildingId?: string;
	generation?: string;
}
