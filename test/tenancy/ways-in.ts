/** The four ways on which a device of a site sends a reading. */
import { serialLink } from '@crowdvision/firmware-sim';
import mqtt from 'mqtt';
import { io } from 'socket.io-client';
import type { Site } from './site.ts';

export const TRANSPORTS = ['http', 'mqtt', 'socket.io', 'serial'] as const;
export type Way = (typeof TRANSPORTS)[number];

/** A device as it signs in. */
export interface SignIn {
	id: string;
	token: string;
}

/** A reading, or one that leaves its place to the registry. */
export interface SentReading {
	sensorId: string;
	metric: string;
	value: number;
	buildingId?: string;
	roomId?: string;
}

const ANSWER_MS = 10_000;
let seq = 0;

/**
 * Sends a reading and resolves with whether it was taken; over MQTT, which has no refusal, with whether it was
 * acknowledged.
 */
export function sendOver(way: Way, site: Site, device: SignIn, reading: SentReading): Promise<boolean> {
	if (way === 'http') return overHttp(site, device, reading);
	if (way === 'mqtt') return overMqtt(site, device, reading);
	return way === 'serial' ? overSerial(site, device, reading) : overSocketIo(site, device, reading);
}

async function overHttp(site: Site, { token }: SignIn, reading: SentReading): Promise<boolean> {
	return (await site.ask(token, 'POST', '/ingest', reading)).status === 202;
}

async function overMqtt(site: Site, { id, token }: SignIn, reading: SentReading): Promise<boolean> {
	const { buildingId = 'anywhere', roomId = 'anywhere', sensorId } = reading;
	const client = mqtt.connect(site.mqtt, { username: id, password: token, reconnectPeriod: 0 });
	const ended = new Promise<false>((resolve) => {
		client.on('error', () => resolve(false));
		client.on('close', () => resolve(false));
	});
	const sent = new Promise<true>((resolve) =>
		client.on('connect', () =>
			client.publish(`telemetry/${buildingId}/${roomId}/${sensorId}`, JSON.stringify(reading), { qos: 1 }, (error) => {
				if (!error) resolve(true);
			}),
		),
	);
	try {
		return await Promise.race([sent, ended]);
	} finally {
		await client.endAsync(true);
	}
}

async function overSocketIo(site: Site, { token }: SignIn, reading: SentReading): Promise<boolean> {
	const socket = io(site.http, {
		path: '/ingest/socket.io',
		auth: { token },
		transports: ['websocket'],
		reconnection: false,
		forceNew: true,
	});
	const refused = new Promise<false>((resolve) => socket.on('connect_error', () => resolve(false)));
	const answer = socket.timeout(ANSWER_MS).emitWithAck('reading', reading) as Promise<{ ok: boolean }>;
	try {
		return await Promise.race([answer.then(({ ok }) => ok), refused]);
	} finally {
		socket.disconnect();
		answer.catch(() => undefined);
	}
}

/** The device states its token first. A token that is refused leaves the reading without a taker. */
async function overSerial(site: Site, { id, token }: SignIn, reading: SentReading): Promise<boolean> {
	const link = serialLink({ path: site.serial, credentials: { deviceId: id, token } });
	const connection = await link.open(AbortSignal.timeout(ANSWER_MS));
	try {
		const numbered = { unit: 'person', boot: 'tenancy', ...reading, seq: ++seq };
		const patience = new Promise<'silent'>((resolve) => setTimeout(resolve, ANSWER_MS, 'silent').unref());
		for (;;) {
			const verdict = await Promise.race([
				connection.send(numbered as Parameters<typeof connection.send>[0]),
				patience,
			]);
			if (verdict === 'silent' || verdict.outcome === 'refused') return false;
			if (verdict.outcome === 'acknowledged') return true;
			if (verdict.reason.includes('unauthenticated')) return false;
		}
	} finally {
		await connection.close();
	}
}
