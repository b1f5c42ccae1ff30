import { join } from 'node:path';
import { Log, type LogRecord, startCommitWorker } from '@crowdvision/log';
import { killsOf, seedOf } from '@crowdvision/testing/fault-parameters';
import { startMosquitto } from '@crowdvision/testing/mosquitto';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt, { type MqttClient } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chanceOf, sleep } from './chance.ts';
import { startFeeder } from './feeder.ts';
import { type GatewayProcess, prepareGateway } from './gateway-process.ts';

/** `npm run test:faults -- bridge --kills 100` runs more. */
const KILLS = killsOf(1, 3);
const SEED = seedOf(1);
const PER_SECOND = 50;
const AGAIN_MS = 15_000;
/** After a reconnect MQTT.js sends what waits one by one. */
const MOST_WAITING = 50;

/** Publishes payloads that count up, each until it is acknowledged, by a client that comes back by itself. */
function startPublisher(client: MqttClient, topic: string, payloadOf: (n: number) => string) {
	let sent = 0;
	const waiting = new Map<number, number>();
	const publish = (n: number) => {
		waiting.set(n, performance.now());
		client.publish(topic, payloadOf(n), { qos: 1 }, (error) => {
			if (!error) waiting.delete(n);
		});
	};
	const again = setInterval(() => {
		for (const [n, at] of waiting) if (performance.now() - at > AGAIN_MS) publish(n);
	}, 500);
	const timer = setInterval(() => waiting.size < MOST_WAITING && publish(sent++), 1000 / PER_SECOND);
	return {
		sent: () => sent,
		async drain() {
			clearInterval(timer);
			await waitFor(`the last acknowledgement on ${topic}`, () => waiting.size === 0, 120_000);
			clearInterval(again);
		},
	};
}

/** How often each number of a prefix came. */
const tally = (heard: string[], total: number) => {
	const counts = new Uint32Array(total);
	for (const one of heard) counts[Number(one)]!++;
	return { lost: counts.filter((times) => times === 0).length, twice: counts.filter((times) => times > 1).length };
};

/** Every record of one of the gateway's logs, once it has stopped. */
async function recordsOf(gateway: GatewayProcess, ...path: string[]): Promise<LogRecord[]> {
	const worker = startCommitWorker();
	const log = await Log.open({ dir: join(gateway.dataDir, 'gateway', ...path), worker });
	const records: LogRecord[] = [];
	for (let next = log.startOffset; ; ) {
		const read = await log.read(next);
		if (read.next === next) break;
		next = read.next;
		records.push(...read.records);
	}
	await log.close();
	await worker.close();
	return records;
}

/** Packet ids of the bridge's messages that the remote says it has received: they are made of offsets (see Outbox). */
const receivedIds = (said: string) =>
	new Set(
		[...said.matchAll(/Received PUBLISH from faults\.campus \(d\d, q1, r0, m(\d+),/g)].map(([, id]) => Number(id)),
	);

describe('a bridge under load', () => {
	it.each(['the gateway', 'the remote'] as const)(
		`loses nothing acknowledged at QoS 1 through ${KILLS} kills of %s`,
		async (victim) => {
			const chance = chanceOf(SEED);
			const broker = await startMosquitto({
				config:
					'persistence true\npersistence_location {dir}/\nautosave_on_changes true\nautosave_interval 1\n' +
					'max_inflight_messages 0\nmax_queued_messages 0' +
					(victim === 'the remote' ? '\nlog_type all' : ''),
			});
			onTestFinished(() => broker.stop());
			const gateway = await prepareGateway({
				config: {
					bridges: [
						{
							name: 'campus',
							url: broker.url,
							backOff: { min: '50ms', max: '300ms' },
							topics: [
								{ pattern: 'telemetry/#', direction: 'out', qos: 1, remotePrefix: 'site/' },
								{ pattern: 'acme/#', direction: 'out', qos: 1, remotePrefix: 'site/' },
								{ pattern: 'telemetry/#', direction: 'in', qos: 1, remotePrefix: 'far/' },
							],
						},
					],
				},
			});
			onTestFinished(() => gateway.close());
			const connect = async (url: string, options: mqtt.IClientOptions) => {
				const client = await mqtt.connectAsync(url, {
					reconnectPeriod: 50,
					clean: false,
					connectTimeout: 20_000,
					...options,
				});
				client.on('error', () => undefined);
				onTestFinished(() => client.endAsync(true));
				return client;
			};
			const heard = { readings: [] as string[], raw: [] as string[] };
			const observer = await connect(broker.url, { clientId: 'observer' });
			observer.on('message', (topic, payload) => {
				if (topic.startsWith('site/acme')) heard.raw.push(payload.toString());
				else heard.readings.push(String((JSON.parse(payload.toString()) as { value: number }).value));
			});
			await observer.subscribeAsync('site/#', { qos: 1 });
			await gateway.start();
			const connected = () =>
				waitFor('the bridge', async () => (await gateway.metric('gateway_bridge_connected')) === 1, 30_000);
			await connected();

			const feeder = await startFeeder(gateway, 'works', PER_SECOND);
			const token = await gateway.tokens.signDevice({ id: 'counter', domainName: 'works', buildingId: 'works' });
			const device = await connect(gateway.links.mqtt.url, {
				clientId: 'counter',
				username: 'counter',
				password: token,
			});
			const raw = startPublisher(device, 'acme/uplink', String);
			const remote = await connect(broker.url, { clientId: 'remote' });
			const far = startPublisher(remote, 'far/telemetry/works/hall/far', (n) =>
				JSON.stringify({ metric: 'illuminance', value: n, seq: n, boot: 'one' }),
			);
			let said = '';
			for (let kill = 0; kill < KILLS; kill++) {
				await sleep(300 + chance() * 700);
				const before = heard.readings.length;
				if (victim === 'the gateway') {
					await gateway.kill();
					await gateway.start();
				} else {
					await broker.kill();
					said += broker.log();
					await broker.restart();
				}
				await connected();
				await waitFor('messages to flow again', () => heard.readings.length > before + 20, 30_000);
			}
			await Promise.all([feeder.stop(), raw.drain(), far.drain()]);
			await waitFor(
				'the queue to be empty',
				async () => (await gateway.metric('gateway_bridge_queued')) === 0,
				120_000,
			);
			expect(await gateway.metric('gateway_ledger_imbalance')).toBe(0);
			await waitFor('the last reading', () => heard.readings.includes(String(feeder.told - 1)), 30_000);
			await waitFor('the last message', () => heard.raw.includes(String(raw.sent() - 1)), 30_000);
			await gateway.stop();
			said += broker.log();
			const readings = await recordsOf(gateway, 'log');
			const queue = await recordsOf(gateway, 'bridge', 'campus', 'queue');
			const parsed = readings.map(({ payload, offset }) => ({
				...(JSON.parse(payload.toString()) as { sensorId: string; value: number }),
				offset,
			}));
			const stored = parsed.filter(({ sensorId }) => sensorId === 'far').map(({ value }) => String(value));
			const found = {
				readings: tally(heard.readings, feeder.told),
				raw: tally(heard.raw, raw.sent()),
				far: tally(stored, far.sent()),
			};
			process.stdout.write(
				`${KILLS} kills of ${victim}: ${feeder.told} readings, ${raw.sent()} raw, ${far.sent()} from the remote: ` +
					`${JSON.stringify(found)}\n`,
			);
			// What came twice from the remote bears a number, and is known by it.
			expect(found.far.twice).toBe(0);
			if (victim === 'the gateway') {
				expect([found.readings.lost, found.raw.lost, found.far.lost]).toEqual([0, 0, 0]);
				return;
			}
			// A Mosquitto writes its database when more than autosave_interval changes have gathered (mosquitto.conf(5)), so
			// one that is killed forgets the last messages that it has acknowledged: what it has received is what it has
			// logged, and what it had from elsewhere is only printed.
			const received = receivedIds(said);
			expect(parsed.filter(({ sensorId, offset }) => sensorId === 'counter' && !received.has(16 + offset))).toEqual([]);
			expect(queue.filter(({ offset }) => !received.has(32_768 + offset))).toEqual([]);
			expect(queue.length).toBeGreaterThanOrEqual(raw.sent());
		},
		300_000 + KILLS * 30_000,
	);
});
