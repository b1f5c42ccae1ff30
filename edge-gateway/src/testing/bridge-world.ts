import { type Mosquitto, startMosquitto } from '@crowdvision/testing/mosquitto';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { BridgeConfig } from '../bridge/config/bridge-config.ts';
import type { BridgeReport } from '../bridge/link/bridge-report.ts';
import type { GatewayWorld } from './gateway-world.ts';

/** A real Mosquitto that is stopped after the test. */
export async function mosquitto(config = ''): Promise<Mosquitto> {
	const broker = await startMosquitto({ config });
	onTestFinished(() => broker.stop());
	return broker;
}

interface Received {
	topic: string;
	payload: string;
	retain: boolean;
	qos: number;
}

/** A client of a remote broker. */
export interface Peer {
	client: MqttClient;
	/** The messages it got, without probes of the loop detection. */
	received: Received[];
	publish(topic: string, payload: string, options?: { qos?: 0 | 1 | 2; retain?: boolean }): Promise<unknown>;
	/** Resolves when a message with this payload has arrived that many times. */
	receives(payload: string, times?: number): Promise<unknown>;
	/** How many messages with this payload were received. */
	count(payload: string): number;
}

/** A client that is subscribed to a filter with QoS 2, and reconnects by itself; closed after the test. */
export async function peer(broker: { url: string }, filter = '#', options: IClientOptions = {}): Promise<Peer> {
	const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 100, ...options });
	client.on('error', () => undefined);
	onTestFinished(() => client.endAsync(true));
	const received: Received[] = [];
	client.on('message', (topic, payload, { retain, qos }) => {
		if (!topic.includes('crowdvision-probe')) received.push({ topic, payload: payload.toString(), retain, qos });
	});
	await client.subscribeAsync(filter, { qos: 2 });
	const count = (payload: string) => received.filter((one) => one.payload === payload).length;
	return {
		client,
		received,
		publish: (topic, payload, { qos = 1, retain = false } = {}) => client.publishAsync(topic, payload, { qos, retain }),
		receives: (payload, times = 1) => waitFor(`${times} times ${payload}`, () => count(payload) >= times),
		count,
	};
}

/** The configuration of a bridge, with short pauses between attempts to connect. */
export function bridgeTo(
	broker: { url: string },
	options: Partial<BridgeConfig> & Pick<BridgeConfig, 'topics'>,
): BridgeConfig {
	return { name: 'campus', url: broker.url, backOff: { min: '50ms', max: '500ms' }, ...options };
}

/** The report on a bridge, from the gateway's API. */
export async function reportOf(world: GatewayWorld, name = 'campus'): Promise<BridgeReport> {
	const token = await world.account({ domainName: '*', role: 'admin' });
	const { body } = await world.call('GET', '/bridges', { token });
	const found = (body.bridges as BridgeReport[]).find((one) => one.name === name);
	if (!found) throw new Error(`no bridge ${name}`);
	return found;
}

/** Waits until the named bridges, by default `campus`, are connected. */
export function connected(world: GatewayWorld, ...names: string[]): Promise<unknown> {
	return waitFor('the bridges to be connected', async () => {
		for (const name of names.length > 0 ? names : ['campus'])
			if ((await reportOf(world, name)).state !== 'connected') return false;
		return true;
	});
}
