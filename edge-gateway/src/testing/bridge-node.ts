import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { onTestFinished } from 'vitest';
import { Bridges } from '../bridge/bridges.ts';
import type { BridgeConfig } from '../bridge/config/bridge-config.ts';
import { Ledger } from '../ledger/ledger.ts';
import { LocalBroker, type LocalMessage } from '../sources/mqtt/broker/local-broker.ts';

/**
 * The bridges of a gateway with their logs. In place of the gateway's broker, a list of the messages that its clients
 * would have got, without the states of bridges.
 */
export interface BridgeNode {
	name: string;
	bridges: Bridges;
	ledger: Ledger;
	/** The messages for clients of the gateway. */
	received: LocalMessage[];
	/** Publishes like a client of the gateway; resolves when the gateway would acknowledge the message. */
	publish(topic: string, payload: string, options?: { qos?: 0 | 1 | 2; retain?: boolean }): Promise<void>;
	/** How many messages with this payload were received. */
	count(payload: string): number;
	/** Resolves when all bridges are connected. */
	connected(): Promise<unknown>;
	stop(): Promise<void>;
}

/** @param dir a folder that outlives the node; default: one that is removed after the test */
export async function bridgeNode(name: string, configs: BridgeConfig[], dir?: string): Promise<BridgeNode> {
	const folder = dir ?? (await mkdtemp(join(tmpdir(), 'crowdvision-bridge-')));
	if (!dir) onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const worker = startCommitWorker();
	await mkdir(join(folder, 'log'), { recursive: true });
	const log = await Log.open({ dir: join(folder, 'log'), worker, maxBytes: 8 * 1024 * 1024 });
	const received: LocalMessage[] = [];
	const local = new LocalBroker();
	local.connect(async (message) => {
		if (!message.topic.startsWith('bridge/')) received.push(message);
	});
	const ledger = new Ledger(log);
	const bridges = new Bridges({
		gatewayId: name,
		dir: join(folder, 'bridge'),
		log,
		worker,
		local,
		decodeBy: () => undefined,
		deliver: async () => {
			throw new Error('this node takes no readings');
		},
		ledger,
		logger: createLogger(name, process.env.BRIDGE_LOG ?? 'silent'),
	});
	let stopped: Promise<void> | undefined;
	const stop = () => {
		stopped ??= (async () => {
			await bridges.stop();
			await log.close();
			await worker.close();
		})();
		return stopped;
	};
	onTestFinished(stop);
	await bridges.update(configs);
	bridges.begin();
	return {
		name,
		bridges,
		ledger,
		received,
		publish: (topic, payload, { qos = 1, retain = false } = {}) =>
			local.publish({ topic, payload: Buffer.from(payload), qos, retain }),
		count: (payload) => received.filter((one) => one.payload.toString() === payload).length,
		connected: () =>
			waitFor(`the bridges of ${name}`, () => bridges.list().every(({ state }) => state === 'connected')),
		stop,
	};
}
