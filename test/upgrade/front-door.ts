import { createHmac } from 'node:crypto';
import type {
	Alert,
	DashboardToServer,
	DeviceEvent,
	ReadingWithCursor,
	ServerToDashboard,
} from '@crowdvision/contracts';
import mqtt, { type MqttClient } from 'mqtt';
import { io, type Socket } from 'socket.io-client';

/** Where a composition of CrowdVision is reached by its users and devices. */
export interface FrontDoor {
	/** Base of the page and the API. */
	readonly http: string;
	readonly mqtt: string;
}

export interface Reply<T> {
	status: number;
	/** Undefined for an empty one. */
	body: T;
}

export interface Asking {
	token?: string;
	body?: unknown;
}

/** One request to the API. */
export async function ask<T = unknown>(
	{ http }: FrontDoor,
	method: string,
	path: string,
	{ token, body }: Asking = {},
): Promise<Reply<T>> {
	const response = await fetch(`${http}${path}`, {
		method,
		headers: { 'Content-Type': 'application/json', ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
		...(body !== undefined && { body: JSON.stringify(body) }),
		signal: AbortSignal.timeout(20_000),
	});
	const text = await response.text();
	return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

/** The same. @throws Error with status and body of every answer but a 2xx. */
export async function must<T>(door: FrontDoor, method: string, path: string, asking: Asking = {}): Promise<T> {
	const { status, body } = await ask<T>(door, method, path, asking);
	if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
	return body;
}

/** The path of a domain's resources. */
export const domainPath = (name: string, rest = '') => `/auth/domains/${encodeURIComponent(name)}${rest}`;

export async function signIn(door: FrontDoor, account: { email: string; password: string }): Promise<string> {
	const { email, password } = account;
	return (await must<{ token: string }>(door, 'POST', '/auth/login', { body: { email, password } })).token;
}

/** Sends readings over HTTP. @throws Error unless all of them are acknowledged. */
export async function ingest(door: FrontDoor, token: string, ...readings: object[]): Promise<void> {
	const { accepted } = await must<{ accepted: number }>(door, 'POST', '/ingest', { token, body: readings });
	if (accepted !== readings.length) throw new Error(`accepted ${accepted} of ${readings.length} readings`);
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const TOTP_PERIOD_MS = 30_000;

/** The code that an authenticator app shows for an invite at a time, epoch ms (RFC 6238 with SHA-1, six digits). */
export function inviteCode(secret: string, at: number): string {
	const bits = [...secret].map((character) => BASE32.indexOf(character).toString(2).padStart(5, '0')).join('');
	const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
	const counter = Buffer.alloc(8);
	counter.writeBigUInt64BE(BigInt(Math.floor(at / TOTP_PERIOD_MS)));
	const hash = createHmac('sha1', key).update(counter).digest();
	const truncated = hash.readUInt32BE(hash.at(-1)! & 0xf) & 0x7fff_ffff;
	return String(truncated % 1_000_000).padStart(6, '0');
}

/** A dashboard that looks at one building. */
export interface Dashboard {
	readonly readings: ReadingWithCursor[];
	readonly alerts: Alert[];
	readonly devices: DeviceEvent[];
	/** Where it was told that it may have missed something. */
	readonly superseded: object[];
	close(): void;
}

/** Resolves when it has subscribed, to all that comes after `cursor`. */
export async function openDashboard(
	{ http }: FrontDoor,
	{ token, buildingId, cursor }: { token: string; buildingId: string; cursor?: string },
): Promise<Dashboard> {
	const socket: Socket<ServerToDashboard, DashboardToServer> = io(http, {
		auth: { token },
		transports: ['websocket'],
		forceNew: true,
	});
	const dashboard: Dashboard = {
		readings: [],
		alerts: [],
		devices: [],
		superseded: [],
		close: () => void socket.close(),
	};
	socket.on('telemetry', (readings) => dashboard.readings.push(...readings));
	socket.on('notification', (alert) => dashboard.alerts.push(alert));
	socket.on('device', (event) => dashboard.devices.push(event));
	socket.on('superseded', (event) => dashboard.superseded.push(event));
	const request = { buildingId, ...(cursor !== undefined && { cursor }) };
	const outcome = await socket.timeout(15_000).emitWithAck('subscribe', request);
	if (outcome.ok) return dashboard;
	socket.close();
	throw new Error(`subscribe: ${JSON.stringify(outcome.error)}`);
}

export interface MqttMessage {
	topic: string;
	payload: string;
	qos: number;
	retain: boolean;
}

/** An MQTT connection of a device. */
export interface MqttSession {
	readonly client: MqttClient;
	/** Whether the broker still had its session. */
	readonly present: boolean;
	readonly received: MqttMessage[];
	/** DISCONNECT; resolves when the connection is closed. */
	close(): Promise<void>;
}

/** Connects as a device; the session outlives the connection unless `clean`. */
export async function openMqtt(
	{ mqtt: url }: FrontDoor,
	{ deviceId, token }: { deviceId: string; token: string },
	{ clientId, clean }: { clientId: string; clean: boolean },
): Promise<MqttSession> {
	const client = mqtt.connect(url, {
		clientId,
		clean,
		username: deviceId,
		password: token,
		reconnectPeriod: 0,
		connectTimeout: 15_000,
	});
	const received: MqttMessage[] = [];
	client.on('message', (topic, payload, { qos, retain }) =>
		received.push({ topic, payload: payload.toString(), qos, retain }),
	);
	const present = await new Promise<boolean>((resolve, reject) => {
		client.once('connect', ({ sessionPresent }) => resolve(sessionPresent));
		client.once('error', reject);
		client.once('close', () => reject(new Error('MQTT: the connection was closed before CONNACK')));
	}).catch((error: unknown) => {
		client.end(true);
		throw error;
	});
	client.on('error', () => undefined);
	return { client, present, received, close: () => client.endAsync() };
}
