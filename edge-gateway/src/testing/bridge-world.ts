import { type Mosquitto, startMosquitto } from '@crowdvision/testing/mosquitto';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { BridgeConfig } from '../bridge/config/bridge-config.ts';
import type { BridgeReport } from '../bridge/link/bridge-report.ts';
import type { GatewayWorld } from './gateway-world.ts';

/** A real Mosquitto that ends with the test. */
export async function mosquitto(config = ''): Promise<Mosquitto> {
	const broker = await startMosquitto({ config });
	onTestFinished(() => broker.stop());
	return broker;
}

export interface Heard {
	topic: string;
	payload: string;
	retain: boolean;
	qos: number;
}

/** A client of a remote broker. */
export interface Peer {
	client: MqttClient;
	/** What it got, probes of the loop detection left out. */
	heard: Heard[];
	publish(topic: string, payload: string, options?: { qos?: 0 | 1 | 2; retain?: boolean }): Promise<unknown>;
	/** Resolves when so many messages with this payload have come. */
	hears(payload: string, times?: number): Promise<unknown>;
	/** How often a payload has come. */
	count(payload: string): number;
}

export async function peer(broker: { url: string }, filter = '#', options: IClientOptions = {}): Promise<Peer> {
	const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 100, ...options });
	client.on('error', () => undefined);
	onTestFinished(() => client.endAsync(true));
	const heard: Heard[] = [];
	client.on('message', (topic, payload, { retain, qos }) => {
		if (!topic.includes('crowdvision-probe')) heard.push({ topic, payload: payload.toString(), retain, qos });
	});
	await client.subscribeAsync(filter, { qos: 2 });
	const count = (payload: string) => heard.filter((one) => one.payload === payload).length;
	return {
		client,
		heard,
		publish: (topic, payload, { qos = 1, retain = false } = {}) => client.publishAsync(topic, payload, { qos, retain }),
		hears: (payload, times = 1) => waitFor(`${times} times ${payload}`, () => count(payload) >= times),
		count,
	};
}

/** A bridge's entry with short pauses. */
export function bridgeTo(
	broker: { url: string },
	options: Partial<BridgeConfig> & Pick<BridgeConfig, 'topics'>,
): BridgeConfig {
	return { name: 'campus', url: broker.url, backOff: { min: '50ms', max: '500ms' }, ...options };
}

/** How the gateway says a bridge is. */
export async function reportOf(world: GatewayWorld, name = 'campus'): Promise<BridgeReport> {
	const token = await world.account({ domainName: '*', role: 'admin' });
	const { body } = await world.call('GET', '/bridges', { token });
	const found = (body.bridges as BridgeReport[]).find((one) => one.name === name);
	if (!found) throw new Error(`no bridge ${name}`);
	return found;
}

export function connected(world: GatewayWorld, ...names: string[]): Promise<unknown> {
	return waitFor('the bridges to be connected', async () => {
		for (const name of names.length > 0 ? names : ['campus'])
			if ((await reportOf(world, name)).state !== 'connected') return false;
		return true;
	});
}
