import type { Mosquitto } from '@crowdvision/testing/mosquitto';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeConfig } from '../../src/bridge/config/bridge-config.ts';
import { type BridgeNode, bridgeNode } from '../../src/testing/bridge-node.ts';
import { bridgeTo, connected, mosquitto, type Peer, peer, reportOf } from '../../src/testing/bridge-world.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { whenStable } from '../../src/testing/when-stable.ts';

/** A client of one of the brokers, which publishes messages and counts those it gets. */
interface Place {
	publish(topic: string, payload: string, options: { qos: 0 | 1 | 2; retain: boolean }): Promise<unknown>;
	count(payload: string): number;
	received: unknown[];
}

const EVERY_QOS = [0, 1, 2] as const;
const VARIANTS: [string, Partial<BridgeConfig>][] = [
	['MQTT 5', { protocol: '5' }],
	['MQTT 3.1.1 with the bridge bit', { protocol: '3.1.1' }],
	['MQTT 3.1.1 without the bridge bit', { protocol: '3.1.1', bridgeBit: false }],
];

const everything = (name: string, broker: Mosquitto, options: Partial<BridgeConfig> = {}): BridgeConfig =>
	bridgeTo(broker, { name, topics: [{ pattern: '#', direction: 'both', qos: 2 }], ...options });

/** A Mosquitto that is bridged to another one by Mosquitto's own bridge, with all topics. */
const bridgedTo = (other: Mosquitto, name: string) =>
	mosquitto(
		[
			`connection ${name}`,
			`address 127.0.0.1:${other.port}`,
			'topic # both 2',
			`remote_clientid ${name}`,
			'notifications false',
			'restart_timeout 1',
		].join('\n'),
	);

/**
 * Publishes at each place in turn, with each QoS, retained and not. Expects that every message arrives at each place
 * exactly once, and that then no more messages arrive.
 */
async function expectOneDeliveryEach(places: Record<string, Place>): Promise<void> {
	const sent: string[] = [];
	for (const [name, place] of Object.entries(places)) {
		for (const qos of EVERY_QOS) {
			for (const retain of [false, true]) {
				const payload = `from ${name}, QoS ${qos}${retain ? ', retained' : ''}, ${sent.length}`;
				sent.push(payload);
				await place.publish(`acme/${name}/${qos}/${retain}`, payload, { qos, retain });
			}
		}
	}
	const all = Object.values(places);
	await whenStable(() => all.reduce((sum, { received }) => sum + received.length, 0));
	const wrong = sent.flatMap((payload) =>
		Object.entries(places)
			.filter(([, place]) => place.count(payload) !== 1)
			.map(([name, place]) => `${name} got ${place.count(payload)} times: ${payload}`),
	);
	expect(wrong).toEqual([]);
	for (const [name, { received }] of Object.entries(places))
		expect(`${name} ${received.length}`).toBe(`${name} ${sent.length}`);
}

/** Waits until `wanted` bridges of these nodes are on standby. */
async function standbys(nodes: BridgeNode[], wanted: number): Promise<void> {
	const count = () =>
		nodes.flatMap(({ bridges }) => bridges.list()).filter(({ standbyFor }) => standbyFor !== undefined).length;
	await waitFor(`${wanted} bridges on standby`, () => count() === wanted);
}

function expectBalanced(...nodes: BridgeNode[]): void {
	for (const { ledger } of nodes) expect(ledger.imbalances().filter(({ imbalance }) => imbalance !== 0)).toEqual([]);
}

describe('P4 bridges deliver each message exactly once', () => {
	it.each(VARIANTS)(
		'between a gateway and a Mosquitto, with all topics in both directions, over %s',
		async (_, options) => {
			const broker = await mosquitto();
			const remote = await peer(broker);
			const node = await bridgeNode('g1', [everything('m', broker, options)]);
			await node.connected();
			await expectOneDeliveryEach({ node, remote });
			// Identical payloads are still different messages.
			for (let time = 0; time < 3; time++) {
				await node.publish('acme/light', 'on');
				await remote.publish('acme/light', 'on');
			}
			await whenStable(() => node.received.length + remote.received.length);
			expect([node.count('on'), remote.count('on')]).toEqual([6, 6]);
			expectBalanced(node);
		},
	);

	it.each(VARIANTS)(
		'in a ring of a gateway and two Mosquittos that are bridged to each other, over %s',
		async (_, options) => {
			const first = await mosquitto();
			const second = await bridgedTo(first, 'second');
			const places = { first: await peer(first), second: await peer(second) };
			const node = await bridgeNode('g1', [everything('a', first, options), everything('b', second, options)]);
			await node.connected();
			await standbys([node], 1);
			await expectOneDeliveryEach({ node, ...places });
			expectBalanced(node);
		},
	);

	it('in a ring of three gateways with a Mosquitto between each two', async () => {
		const [one, two, three] = [await mosquitto(), await mosquitto(), await mosquitto()];
		const places = { one: await peer(one), two: await peer(two), three: await peer(three) };
		const nodes = [
			await bridgeNode('g1', [everything('a', one), everything('b', two)]),
			await bridgeNode('g2', [everything('a', two), everything('b', three)]),
			await bridgeNode('g3', [everything('a', three), everything('b', one)]),
		];
		await Promise.all(nodes.map((node) => node.connected()));
		await standbys(nodes, 1);
		await expectOneDeliveryEach({ ...places, g1: nodes[0]!, g2: nodes[1]!, g3: nodes[2]! });
		expectBalanced(...nodes);
	});

	it('in a ring of two gateways and two Mosquittos, over MQTT 3.1.1', async () => {
		const [one, two] = [await mosquitto(), await mosquitto()];
		const places = { one: await peer(one), two: await peer(two) };
		const old = { protocol: '3.1.1' as const };
		const nodes = [
			await bridgeNode('g1', [everything('a', one, old), everything('b', two, old)]),
			await bridgeNode('g2', [everything('a', one, old), everything('b', two, old)]),
		];
		await Promise.all(nodes.map((node) => node.connected()));
		await standbys(nodes, 1);
		await expectOneDeliveryEach({ ...places, g1: nodes[0]!, g2: nodes[1]! });
	});

	it('in a ring of whole gateways, where each gateway stores each reading once', async () => {
		const [one, two] = [await mosquitto(), await mosquitto()];
		const peers = [await peer(one), await peer(two)];
		const bridges = [everything('a', one), everything('b', two)];
		const worlds: GatewayWorld[] = [];
		for (const gatewayId of ['g1', 'g2']) {
			const world = await openGatewayWorld({ settings: { gatewayId, bridges } });
			onTestFinished(() => world.stop());
			worlds.push(world);
		}
		for (const world of worlds) await connected(world, 'a', 'b');
		await waitFor('one bridge on standby', async () => {
			const reports = await Promise.all(worlds.flatMap((world) => [reportOf(world, 'a'), reportOf(world, 'b')]));
			return reports.filter(({ standbyFor }) => standbyFor !== undefined).length === 1;
		});
		const [first] = worlds as [GatewayWorld];
		const posted = { sensorId: 'door', metric: 'temperature', value: 20, buildingId: 'b1', roomId: 'hall' };
		for (let n = 0; n < 2; n++)
			await first.call('POST', '/ingest', { token: await first.token('poster'), body: posted });
		await peers[1]!.publish('telemetry/b1/hall/far', JSON.stringify({ metric: 'co2', value: 500 }), { qos: 2 });
		let stored: string[][] = [];
		const isEverywhere = async () => {
			stored = await Promise.all(
				worlds.map(async (world) => (await world.stored()).map(({ sensorId }) => sensorId).sort()),
			);
			return (
				stored.every((names) => names.length >= 3) &&
				peers.every(({ received }) => received.filter(({ topic }) => topic.startsWith('telemetry/')).length >= 3)
			);
		};
		await waitFor('all readings to be everywhere', isEverywhere);
		await whenStable(() => peers.reduce((sum, { received }) => sum + received.length, 0));
		await isEverywhere();
		expect(stored).toEqual([
			['door', 'door', 'far'],
			['door', 'door', 'far'],
		]);
		// The gateways also publish messages of their own about sensors, which are no readings.
		const readings = (peer: Peer) => peer.received.filter(({ topic }) => topic.startsWith('telemetry/'));
		for (const one of peers)
			expect(
				readings(one)
					.map(({ topic }) => topic.split('/')[3])
					.sort(),
			).toEqual(['door', 'door', 'far']);
	});

	it('in a star around a gateway, and around a Mosquitto', async () => {
		const [one, two, three] = [await mosquitto(), await mosquitto(), await mosquitto()];
		const places = { one: await peer(one), two: await peer(two), three: await peer(three) };
		const centre = await bridgeNode('g1', [everything('a', one), everything('b', two), everything('c', three)]);
		const others = [await bridgeNode('g2', [everything('a', one)]), await bridgeNode('g3', [everything('a', one)])];
		await Promise.all([centre, ...others].map((node) => node.connected()));
		await expectOneDeliveryEach({ ...places, centre, g2: others[0]!, g3: others[1]! });
		expectBalanced(centre, ...others);
	});

	it('through three bridges to the same Mosquitto', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		const node = await bridgeNode('g1', [everything('a', broker), everything('b', broker), everything('c', broker)]);
		await node.connected();
		await standbys([node], 2);
		await expectOneDeliveryEach({ node, remote });
	});

	it('when a bridge leaves standby because the other path is gone, and when it returns to standby', async () => {
		const first = await mosquitto();
		const second = await bridgedTo(first, 'second');
		const places = { first: await peer(first), second: await peer(second) };
		const node = await bridgeNode('g1', [everything('a', first), everything('b', second)]);
		await node.connected();
		await standbys([node], 1);
		await first.kill();
		await standbys([node], 0);
		await node.publish('acme/x', 'by b');
		await places.second.receives('by b');
		await first.restart();
		await standbys([node], 1);
		await node.connected();
		await whenStable(() => node.received.length + places.second.received.length);
		await node.publish('acme/x', 'after');
		await places.second.receives('after');
		await whenStable(() => node.received.length + places.second.received.length);
		expect([
			node.count('by b'),
			places.second.count('by b'),
			node.count('after'),
			places.second.count('after'),
		]).toEqual([1, 1, 1, 1]);
	});
});
