import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent, type SensorStatus } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { openServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../testing/mqtt-clients.ts';
import { sendReadings, sensorSocket } from '../testing/socketio-client.ts';
import { Availability } from './availability.ts';
import type { DevicesConfig } from './devices-config.ts';
import { Timeouts } from './timeouts.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };
const MINUTE = 60_000;
const ORIGIN = { transport: 'mqtt', source: 'topic', sender: { id: 'device', domainName: 'acme' } } as const;

describe('Availability', () => {
	let dir: string;
	let now: number;
	let open: Availability[];
	beforeEach(() => {
		dir = mkdtempSync(join(tmpdir(), 'crowdvision-availability-'));
		now = Date.UTC(2026, 10, 28);
		open = [];
		vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
	});
	afterEach(async () => {
		for (const one of open) await one.close();
		vi.useRealTimers();
		rmSync(dir, { recursive: true });
	});

	/** An `Availability` that records its changes in `changes`. */
	async function watched({
		config = {},
		gatewayId = 'pi',
		bus,
	}: {
		config?: DevicesConfig;
		gatewayId?: string;
		bus?: Bus;
	} = {}) {
		const changes: string[] = [];
		const availability = Availability.open({
			path: join(dir, gatewayId),
			domainsOf: () => [],
			gatewayId,
			timeouts: new Timeouts(config),
			now: () => now,
			logger: createLogger('test', 'silent'),
		});
		await availability.start(bus, (event, isReported) => {
			changes.push(`${event.sensorId} ${event.state}${isReported ? ' (reported)' : ''}`);
			void bus?.announce(CHANNELS.devices, JSON.stringify(event));
		});
		open.push(availability);
		return {
			availability,
			changes,
			receive: (sensorId: string, metric = 'co2') => availability.received(sensorId, metric, HALL, ORIGIN, now),
		};
	}
	/** Lets time pass. */
	const pass = (ms: number) => {
		now += ms;
		vi.advanceTimersByTime(1000);
	};

	it('announces each change once: a reading, a silence of three times the freshness, a reading again', async () => {
		const { changes, receive, availability } = await watched();
		receive('s');
		receive('s');
		pass(14 * MINUTE);
		receive('s', 'noise');
		pass(15 * MINUTE);
		expect(changes).toEqual(['s online']);
		pass(1);
		pass(MINUTE);
		expect(changes).toEqual(['s online', 's offline']);
		receive('s');
		expect(changes).toEqual(['s online', 's offline', 's online']);
		expect(availability.of('s')[0]).toMatchObject({
			...HALL,
			state: 'online',
			since: now,
			lastSeen: now,
			domainName: 'acme',
			transport: 'mqtt',
		});
	});

	it('applies the configured timeout of the metric; of several metrics, the longest', async () => {
		const { changes, receive } = await watched({ config: { timeouts: { default: '1m', co2: '10s' } } });
		receive('co2');
		receive('noise', 'noise');
		receive('both');
		receive('both', 'noise');
		pass(11_000);
		expect(changes.filter((one) => one.endsWith('offline'))).toEqual(['co2 offline']);
		pass(MINUTE);
		expect(changes.filter((one) => one.endsWith('offline')).sort()).toEqual([
			'both offline',
			'co2 offline',
			'noise offline',
		]);
	});

	it('follows what a device reports, until a reading arrives', async () => {
		const { changes, receive, availability } = await watched();
		availability.reported('s', 'online', 'acme');
		availability.reported('s', 'online', 'acme');
		availability.reported('s', 'offline', 'acme');
		receive('s');
		expect(changes).toEqual(['s online (reported)', 's offline (reported)', 's online']);
	});

	it('keeps the states across a restart, announces them again, and counts silence from the start', async () => {
		const first = await watched();
		first.receive('here');
		first.receive('gone');
		first.availability.reported('gone', 'offline', undefined);
		first.availability.stop();
		first.availability.reported('here', 'offline', undefined);
		await first.availability.close();
		now += 60 * MINUTE;
		const second = await watched();
		expect(second.changes.sort()).toEqual(['gone offline', 'here online']);
		pass(15 * MINUTE);
		expect(second.changes).toHaveLength(2);
		pass(1);
		expect(second.changes).toEqual(['gone offline', 'here online', 'here offline']);
	});

	it('leaves a sensor to the gateway that received it last', async () => {
		const world = await openServiceWorld();
		const { bus } = world.parts;
		const [north, south] = [await watched({ gatewayId: 'north', bus }), await watched({ gatewayId: 'south', bus })];
		north.receive('moving');
		now += 1000;
		south.receive('moving');
		await waitFor('north to forget the sensor', () => north.availability.of('moving')[0] === undefined);
		pass(16 * MINUTE);
		expect(north.changes).toEqual(['moving online']);
		// A gateway that did not receive the sensor must not have the last word.
		south.receive('staying');
		const stale: DeviceEvent = { sensorId: 'staying', state: 'offline', at: now, gatewayId: 'east' };
		await bus.announce(CHANNELS.devices, JSON.stringify(stale));
		await waitFor('south to contradict', () => south.changes.filter((one) => one === 'staying online').length === 2);
		await world.stop();
	});

	it('keeps at most ten thousand sensors', async () => {
		const { receive, availability } = await watched();
		for (let i = 0; i < 10_500; i++) {
			now++;
			receive(`s${i}`);
		}
		expect(availability.list(() => true).length).toBeLessThanOrEqual(10_000);
		expect(availability.of('s10499')[0]).toBeDefined();
		expect(availability.of('s0')[0]).toBeUndefined();
	});
});

describe('a gateway that announces which sensors are online', () => {
	let world: GatewayWorld;
	let events: DeviceEvent[];
	beforeEach(async () => {
		world = await openGatewayWorld();
		events = [];
		await world.bus.listen(CHANNELS.devices, (message) => events.push(JSON.parse(message) as DeviceEvent));
	});
	afterEach(() => world.stop());

	const statesOf = (sensorId: string) =>
		events.filter((event) => event.sensorId === sensorId).map(({ state }) => state);
	const listed = async (): Promise<SensorStatus[]> => {
		const token = await world.account({ domainName: 'acme', role: 'business_staff' });
		return (await world.call('GET', '/devices', { token })).body.sensors as unknown as SensorStatus[];
	};

	it('announces over MQTT online at the first reading, as a retained status, and offline at the will', async () => {
		const client = await mqttClient(world.mqttUrl, 'd1', await world.token('d1', { sensorIds: ['s'] }), {
			will: { topic: 'status/s', payload: Buffer.from('offline'), qos: 1, retain: true },
		});
		await client.publishAsync('telemetry/b1/hall/s/co2', '420', { qos: 1 });
		await waitFor('the sensor to be online', () => statesOf('s').length === 1);
		const seen = await messagesOn(client, 'status/s');
		await waitFor('the retained status', () => seen[0]?.payload === 'online' && seen[0].retain);
		expect(await listed()).toMatchObject([
			{ sensorId: 's', state: 'online', transport: 'mqtt', metric: 'co2', ...HALL },
		]);
		client.stream.destroy();
		await waitFor('the sensor to be offline', () => statesOf('s').length === 2);
		expect(statesOf('s')).toEqual(['online', 'offline']);
		expect(await listed()).toMatchObject([{ sensorId: 's', state: 'offline' }]);
		const foreign = await world.account({ domainName: 'other', role: 'business_admin' });
		expect((await world.call('GET', '/devices', { token: foreign })).body.sensors).toEqual([]);
	});

	it('announces over Socket.IO offline when the last connection ends', async () => {
		const token = await world.token('d1', { sensorIds: ['s'] });
		const [first, second] = [await sensorSocket(world.url, { token }), await sensorSocket(world.url, { token })];
		await sendReadings(second, { sensorId: 's', metric: 'co2', value: 420, ...HALL });
		first.disconnect();
		await waitFor(
			'the end of the first connection to be noticed',
			async () => (await sendReadings(second, { sensorId: 's', metric: 'co2', value: 421, ...HALL })).ok,
		);
		second.disconnect();
		await waitFor('the sensor to be offline', () => statesOf('s').includes('offline'));
		expect(statesOf('s')).toEqual(['online', 'offline']);
	});
});
