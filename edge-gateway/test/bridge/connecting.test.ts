import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { freePort } from '@crowdvision/testing/ports';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../src/testing/authority.ts';
import { type BridgeNode, bridgeNode } from '../../src/testing/bridge-node.ts';
import { bridgeTo, mosquitto, peer } from '../../src/testing/bridge-world.ts';
import { cutWire } from '../../src/testing/cut-wire.ts';

const OUT = [{ pattern: '#' }];

async function folder(): Promise<string> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-bridge-'));
	onTestFinished(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

const reportOf = (node: BridgeNode) => node.bridges.list()[0]!;
const failsWith = (node: BridgeNode, reason: RegExp) =>
	waitFor(`a failure with ${reason}`, () => reason.test(reportOf(node).lastFailure?.reason ?? ''));

describe('a bridge over TLS', () => {
	it('trusts the configured authority and presents its certificate, and reports an untrusted one', async () => {
		const authority = await createAuthority();
		const other = await createAuthority('another authority');
		const server = await authority.issue('server');
		const client = await authority.issue('site-a');
		const port = await freePort();
		const config = [
			`listener ${port} 127.0.0.1`,
			`cafile ${authority.ca}`,
			`certfile ${server.cert}`,
			`keyfile ${server.key}`,
			'require_certificate true',
		];
		const broker = await mosquitto(config.join('\n'));
		const remote = await peer(broker);
		const ca = join(await folder(), 'ca.pem');
		await copyFile(other.ca, ca);
		const tls = { ca, ...client };
		const bridge = {
			name: 'campus',
			url: `mqtts://127.0.0.1:${port}`,
			backOff: { min: '50ms', max: '200ms' },
			topics: OUT,
			tls,
		};
		const node = await bridgeNode('g1', [bridge]);
		await failsWith(node, /certificate/);
		// The file is replaced: it is read again for the next attempt.
		await copyFile(authority.ca, ca);
		await node.connected();
		await node.publish('acme/x', 'over TLS');
		await remote.receives('over TLS');
	});

	it('keeps its connection when certificates are replaced, in the file or by configuration', async () => {
		const authority = await createAuthority();
		const server = await authority.issue('server');
		const port = await freePort();
		const broker = await mosquitto(
			[`listener ${port} 127.0.0.1`, `certfile ${server.cert}`, `keyfile ${server.key}`].join('\n'),
		);
		const remote = await peer(broker);
		const bridge = {
			name: 'campus',
			url: `mqtts://localhost:${port}`,
			backOff: { min: '50ms', max: '200ms' },
			topics: OUT,
			tls: { ca: authority.ca },
		};
		const node = await bridgeNode('g1', [bridge]);
		await node.connected();
		const { since } = reportOf(node);
		const next = await createAuthority();
		await node.bridges.update([{ ...bridge, tls: { ca: next.ca } }]);
		await node.publish('acme/x', 'still there');
		await remote.receives('still there');
		expect(reportOf(node)).toMatchObject({ state: 'connected', since, lastFailure: undefined });
		// The new configuration counts from the next connection on, and its authority did not sign this server.
		await broker.restart();
		await failsWith(node, /certificate/);
	});
});

describe('a bridge over WebSocket', () => {
	it('sends and receives messages, with and without TLS', async () => {
		const authority = await createAuthority();
		const server = await authority.issue('server');
		const [plain, encrypted] = [await freePort(), await freePort()];
		const listeners = [
			...[`listener ${plain} 127.0.0.1`, 'protocol websockets'],
			...[`listener ${encrypted} 127.0.0.1`, 'protocol websockets', `certfile ${server.cert}`, `keyfile ${server.key}`],
		];
		const remote = await peer(await mosquitto(listeners.join('\n')));
		const topics = [{ pattern: '#', direction: 'both' as const }];
		for (const [name, url] of [
			['ws', `ws://127.0.0.1:${plain}`],
			['wss', `wss://localhost:${encrypted}/mqtt`],
		] as const) {
			const node = await bridgeNode(name, [
				{ name: 'campus', url, topics, ...(name === 'wss' && { tls: { ca: authority.ca } }) },
			]);
			await node.connected();
			await node.publish('acme/x', `out over ${name}`);
			await remote.receives(`out over ${name}`);
			await remote.publish('acme/y', `in over ${name}`);
			await waitFor(`the message over ${name}`, () => node.count(`in over ${name}`) === 1);
			await node.stop();
		}
	});
});

describe('a bridge with alpn and bindAddress', () => {
	it('requests the application protocol, and connects from the local address', async () => {
		const authority = await createAuthority();
		const { cert, key } = await authority.issue('server');
		const broker = await mosquitto();
		const seen: (string | false | null | undefined)[][] = [];
		const front = createServer(
			{ cert: readFileSync(cert), key: readFileSync(key), ALPNProtocols: ['x-amzn-mqtt-ca'] },
			(socket) => {
				seen.push([socket.alpnProtocol, socket.remoteAddress]);
				const behind = connect(broker.port, '127.0.0.1');
				for (const end of [socket, behind]) end.on('error', () => undefined);
				socket.pipe(behind).pipe(socket);
			},
		);
		front.listen(0, '127.0.0.1');
		await once(front, 'listening');
		onTestFinished(() => void front.close());
		const url = `mqtts://127.0.0.1:${(front.address() as AddressInfo).port}`;
		const remote = await peer(broker);
		const tls = { ca: authority.ca, alpn: 'x-amzn-mqtt-ca' };
		const node = await bridgeNode('g1', [{ name: 'campus', url, topics: OUT, tls, bindAddress: '127.0.0.2' }]);
		await node.connected();
		await node.publish('acme/x', 'through the front');
		await remote.receives('through the front');
		expect(seen).toEqual([['x-amzn-mqtt-ca', '127.0.0.2']]);
		await node.stop();
	});
});

describe('a bridge with messagesPerSecond', () => {
	it('keeps the rate towards the remote, in order and without loss', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		const perSecond = 40;
		const node = await bridgeNode('g1', [bridgeTo(broker, { messagesPerSecond: perSecond, topics: OUT })]);
		await node.connected();
		const began = performance.now();
		const tooSoon: number[] = [];
		remote.client.on('message', () => {
			const allowed = perSecond + ((performance.now() - began) / 1000) * perSecond + 1;
			if (remote.received.length > allowed) tooSoon.push(remote.received.length);
		});
		const total = 3 * perSecond;
		await Promise.all(Array.from({ length: total }, (_, n) => node.publish('acme/x', `${n}`)));
		await remote.receives(`${total - 1}`);
		expect(tooSoon).toEqual([]);
		expect(remote.received.map(({ payload }) => payload)).toEqual(Array.from({ length: total }, (_, n) => `${n}`));
	});
});

describe('a bridge with credentials', () => {
	it('reports a refused password as the reason, and reads the token file for each attempt', async () => {
		const dir = await folder();
		const passwords = join(dir, 'passwords');
		execFileSync('mosquitto_passwd', ['-c', '-b', passwords, 'site-a', 'the right one'], { stdio: 'ignore' });
		const broker = await mosquitto(`password_file ${passwords}`);
		const tokenFile = join(dir, 'token');
		await writeFile(tokenFile, 'a wrong one\n');
		const node = await bridgeNode('g1', [bridgeTo(broker, { username: 'site-a', tokenFile, topics: OUT })]);
		await failsWith(node, /not authorized|user name or password/);
		expect(JSON.stringify(reportOf(node))).not.toContain('wrong one');
		await writeFile(tokenFile, 'the right one\n');
		await node.connected();
	});
});

describe('a bridge with several addresses', () => {
	it('uses the second address while the first is away, and returns to the first', async () => {
		const [first, second] = [await mosquitto(), await mosquitto()];
		const bridge = {
			name: 'campus',
			urls: [first.url, second.url],
			returnAfter: '200ms',
			backOff: { min: '50ms', max: '200ms' },
			topics: OUT,
		};
		const node = await bridgeNode('g1', [bridge]);
		await node.connected();
		expect(reportOf(node).address).toBe(first.url);
		await first.kill();
		await waitFor(
			'the second address',
			() => reportOf(node).state === 'connected' && reportOf(node).address === second.url,
		);
		const remote = await peer(second);
		await node.publish('acme/x', 'to the second');
		await remote.receives('to the second');
		await first.restart();
		await waitFor(
			'the first again',
			() => reportOf(node).state === 'connected' && reportOf(node).address === first.url,
		);
	});
});

describe('a bridge with the start mode', () => {
	it('lazy connects when enough messages wait, and disconnects when it is idle', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		const node = await bridgeNode('g1', [
			bridgeTo(broker, { start: 'lazy', lazy: { messages: 3, idle: '300ms' }, topics: OUT }),
		]);
		await node.publish('acme/x', '1');
		await node.publish('acme/x', '2');
		expect(reportOf(node)).toMatchObject({ state: 'waiting', queued: 2, lastFailure: undefined });
		await node.publish('acme/x', '3');
		await remote.receives('3');
		await waitFor('it to disconnect', () => reportOf(node).state === 'waiting');
		expect(remote.received.map(({ payload }) => payload)).toEqual(['1', '2', '3']);
		expect(reportOf(node).lastFailure).toBeUndefined();
	});

	it('scheduled queues messages outside its windows, sends them in one, and disconnects at its end', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		/** A window that begins and ends this many hours from now. */
		const window = (from: number, to: number) => {
			const at = (hours: number) => new Date(Date.now() + hours * 3600_000).toTimeString().slice(0, 5);
			return { start: 'scheduled' as const, schedule: [{ from: at(from), to: at(to) }] };
		};
		const node = await bridgeNode('g1', [bridgeTo(broker, { ...window(2, 4), topics: OUT })]);
		await node.publish('acme/x', 'of the day');
		expect(reportOf(node)).toMatchObject({ state: 'waiting', queued: 1 });
		await node.bridges.update([bridgeTo(broker, { ...window(-2, 2), topics: OUT })]);
		await remote.receives('of the day');
		await node.bridges.update([bridgeTo(broker, { ...window(-4, -2), topics: OUT })]);
		await waitFor('it to disconnect', () => reportOf(node).state === 'waiting');
		await node.publish('acme/x', 'of the next');
		expect(reportOf(node)).toMatchObject({ state: 'waiting', queued: 1, lastFailure: undefined });
		expect(remote.received.map(({ payload }) => payload)).toEqual(['of the day']);
	});

	it('once stops after the connection has failed', async () => {
		const broker = await mosquitto();
		const node = await bridgeNode('g1', [bridgeTo(broker, { start: 'once', topics: OUT })]);
		await node.connected();
		await broker.kill();
		await waitFor('it to stop', () => reportOf(node).state === 'stopped');
		expect(reportOf(node).lastFailure?.reason).toBeTruthy();
	});
});

describe('the queue of a bridge', () => {
	it('makes senders wait while it is full, and loses nothing', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		await broker.kill();
		const queue = { maxBytes: '256KiB' };
		const node = await bridgeNode('g1', [bridgeTo(broker, { queue, topics: [{ pattern: '#', qos: 2 }] })]);
		const filler = 'x'.repeat(10_000);
		let stored = 0;
		const sent = Array.from({ length: 60 }, (_, n) =>
			node.publish('acme/x', `${n} ${filler}`).then(() => void stored++),
		);
		await waitFor('the queue to be full', () => stored > 5);
		expect(stored).toBeLessThan(60);
		await broker.restart();
		await Promise.all(sent);
		await waitFor('the last message', () => reportOf(node).delivered === 60);
		await waitFor('the client to be connected again', () => remote.received.length > 0 || remote.client.connected);
		expect(reportOf(node)).toMatchObject({ queued: 0, out: { received: 60, delivered: 60, pending: 0, dropped: {} } });
	});

	it('drops and counts the oldest messages with drop-oldest', async () => {
		const broker = await mosquitto();
		await broker.kill();
		const queue = { maxBytes: '256KiB', whenFull: 'drop-oldest' as const };
		const node = await bridgeNode('g1', [bridgeTo(broker, { queue, topics: OUT })]);
		const filler = 'x'.repeat(10_000);
		for (let n = 0; n < 60; n++) await node.publish('acme/x', `${n} ${filler}`);
		await broker.restart();
		await waitFor('the other messages', () => reportOf(node).state === 'connected' && reportOf(node).queued === 0);
		const { out } = reportOf(node);
		expect(out.dropped.lost).toBeGreaterThan(0);
		expect(out.delivered + out.dropped.lost!).toBe(60);
	});

	it('drops and counts messages that are larger than maxPacketSize', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker);
		const node = await bridgeNode('g1', [bridgeTo(broker, { maxPacketSize: '1KiB', topics: OUT })]);
		await node.connected();
		await node.publish('acme/x', 'y'.repeat(2000));
		await node.publish('acme/x', 'small');
		await remote.receives('small');
		expect(reportOf(node).out.dropped).toEqual({ too_large: 1 });
	});
});

it('a bridge delivers a burst of QoS 2 over MQTT 3.1.1 that is larger than Mosquitto takes at once', async () => {
	const broker = await mosquitto();
	const remote = await peer(broker);
	const total = 100;
	const node = await bridgeNode('g1', [
		bridgeTo(broker, {
			protocol: '3.1.1',
			start: 'lazy',
			lazy: { messages: total },
			topics: [{ pattern: 'acme/#', qos: 2 }],
		}),
	]);
	for (let n = 0; n < total; n++) await node.publish('acme/x', `${n}`);
	await remote.receives(`${total - 1}`);
	expect(remote.received.map(({ payload }) => payload)).toEqual(Array.from({ length: total }, (_, n) => `${n}`));
	expect(reportOf(node)).toMatchObject({ state: 'connected', lastFailure: undefined, duplicates: { sent: 0 } });
});

describe('a bridge whose connection is cut again and again', () => {
	it.each(['5', '3.1.1'] as const)('delivers QoS 2 exactly once in both directions, over MQTT %s', async (protocol) => {
		const broker = await mosquitto('max_queued_messages 0');
		const wire = await cutWire(broker.port);
		const remote = await peer(broker, 'out/#');
		const topics = [
			{ pattern: 'out/#', direction: 'out' as const, qos: 2 },
			{ pattern: 'in/#', direction: 'in' as const, qos: 2 },
		];
		const node = await bridgeNode('g1', [bridgeTo(wire, { protocol, backOff: { min: '5ms', max: '20ms' }, topics })]);
		await node.connected();
		const total = 300;
		for (let n = 0; n < total; n++) {
			await Promise.all([node.publish('out/x', `out ${n}`), remote.publish('in/x', `in ${n}`, { qos: 2 })]);
			if (n % 25 === 12) wire.cut();
		}
		await waitFor('all messages', () => remote.received.length >= total && node.received.length >= 2 * total, 30_000);
		await waitFor(
			'the last acknowledgement',
			() => reportOf(node).out.pending === 0 && reportOf(node).in.pending === 0,
		);
		expect(remote.received.map(({ payload }) => payload)).toEqual(Array.from({ length: total }, (_, n) => `out ${n}`));
		const incoming = node.received
			.map(({ payload }) => payload.toString())
			.filter((payload) => payload.startsWith('in'));
		expect(incoming).toEqual(Array.from({ length: total }, (_, n) => `in ${n}`));
		expect(wire.connections()).toBeGreaterThan(5);
		expect(node.ledger.imbalances().filter(({ imbalance }) => imbalance !== 0)).toEqual([]);
	});
});

describe('the state of a bridge', () => {
	it('is published at the remote if configured, retained and with a last will', async () => {
		const broker = await mosquitto();
		const wire = await cutWire(broker.port);
		const node = await bridgeNode('g1', [
			bridgeTo(wire, { backOff: { min: '10s', max: '10s' }, state: { remoteTopic: 'sites/a' }, topics: OUT }),
		]);
		await node.connected();
		const states: string[] = [];
		const watcher = await peer(broker, 'sites/#');
		watcher.client.on('message', (_topic, payload) =>
			states.push((JSON.parse(payload.toString()) as { state: string }).state),
		);
		await waitFor('it to be connected', () =>
			watcher.received.some(({ payload }) => payload.includes('"state":"connected"')),
		);
		wire.cut();
		await waitFor('its last will', () => states.includes('disconnected'));
	});
});
