import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { CHANNELS, type DeviceEvent } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { openServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../testing/mqtt-clients.ts';
import { sendReadings, sensorSocket } from '../testing/socketio-client.ts';
import { Availability, type SensorStatus } from './availability.ts';
import type { DevicesConfig } from './devices-config.ts';
import { Timeouts } from './timeouts.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };
const MINUTE = 60_000;
const HEARING = { transport: 'mqtt', sender: { domainName: 'acme' } } as const;

describe('who is there', () => {
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

	/** One that tells what it says; `pass` lets time go by. */
	async function watched({
		config = {},
		gatewayId = 'pi',
		bus,
	}: {
		config?: DevicesConfig;
		gatewayId?: string;
		bus?: Bus;
	} = {}) {
		const told: string[] = [];
		const availability = Availability.open({
			path: join(dir, gatewayId),
			gatewayId,
			timeouts: new Timeouts(config),
			now: () => now,
			logger: createLogger('test', 'silent'),
		});
		await availability.start(bus, (event, said) => {
			told.push(`${event.sensorId} ${event.state}${said ? ' says itself' : ''}`);
			void bus?.announce(CHANNELS.devices, JSON.stringify(event));
		});
		open.push(availability);
		return {
			availability,
			told,
			hear: (sensorId: string, metric = 'co2') => availability.heard(sensorId, metric, HALL, HEARING, now),
		};
	}
	const pass = (ms: number) => {
		now += ms;
		vi.advanceTimersByTime(1000);
	};

	it('is told once per change: heard, silent for three times as long as its values are fresh, heard again', async () => {
		const { told, hear, availability } = await watched();
		hear('s');
		hear('s');
		pass(14 * MINUTE);
		hear('s', 'noise');
		pass(15 * MINUTE);
		expect(told).toEqual(['s online']);
		pass(1);
		pass(MINUTE);
		expect(told).toEqual(['s online', 's offline']);
		hear('s');
		expect(told).toEqual(['s online', 's offline', 's online']);
		expect(availability.get('s')).toMatchObject({
			...HALL,
			state: 'online',
			since: now,
			lastSeen: now,
			domainName: 'acme',
			transport: 'mqtt',
		});
	});

	it('goes by what a sensor measures, as configured: of several metrics by the one that speaks least', async () => {
		const { told, hear } = await watched({ config: { timeouts: { default: '1m', co2: '10s' } } });
		hear('co2');
		hear('noise', 'noise');
		hear('both');
		hear('both', 'noise');
		pass(11_000);
		expect(told.filter((one) => one.endsWith('offline'))).toEqual(['co2 offline']);
		pass(MINUTE);
		expect(told.filter((one) => one.endsWith('offline')).sort()).toEqual([
			'both offline',
			'co2 offline',
			'noise offline',
		]);
	});

	it('is what the devices say, until they are heard', async () => {
		const { told, hear, availability } = await watched();
		availability.said('s', 'online', 'acme');
		availability.said('s', 'online', 'acme');
		availability.said('s', 'offline', 'acme');
		hear('s');
		expect(told).toEqual(['s online says itself', 's offline says itself', 's online']);
	});

	it('is kept, told again at the next start, and silence counts from there', async () => {
		const first = await watched();
		first.hear('here');
		first.hear('gone');
		first.availability.said('gone', 'offline', undefined);
		first.availability.stop();
		first.availability.said('here', 'offline', undefined);
		await first.availability.close();
		now += 60 * MINUTE;
		const second = await watched();
		expect(second.told.sort()).toEqual(['gone offline', 'here online']);
		pass(15 * MINUTE);
		expect(second.told).toHaveLength(2);
		pass(1);
		expect(second.told).toEqual(['gone offline', 'here online', 'here offline']);
	});

	it('lies with the gateway that heard it last', async () => {
		const world = await openServiceWorld();
		const { bus } = world.parts;
		const [north, south] = [await watched({ gatewayId: 'north', bus }), await watched({ gatewayId: 'south', bus })];
		north.hear('moving');
		now += 1000;
		south.hear('moving');
		await waitFor('north to let go', () => north.availability.get('moving') === undefined);
		pass(16 * MINUTE);
		expect(north.told).toEqual(['moving online']);
		// One that did not hear of it must not have the last word.
		south.hear('staying');
		const stale: DeviceEvent = { sensorId: 'staying', state: 'offline', at: now, gatewayId: 'east' };
		await bus.announce(CHANNELS.devices, JSON.stringify(stale));
		await waitFor('south to contradict', () => south.told.filter((one) => one === 'staying online').length === 2);
		await world.stop();
	});

	it('is bounded', async () => {
		const { hear, availability } = await watched();
		for (let i = 0; i < 10_500; i++) {
			now++;
			hear(`s${i}`);
		}
		expect(availability.list(() => true).length).toBeLessThanOrEqual(10_000);
		expect(availability.get('s10499')).toBeDefined();
		expect(availability.get('s0')).toBeUndefined();
	});
});

describe('devices on the wire', () => {
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

	it('over MQTT: the last will is the end; being heard is a beginning, which others see as a retained status', async () => {
		const client = await mqttClient(world.mqttUrl, 'd1', await world.token('d1', { sensorIds: ['s'] }), {
			will: { topic: 'status/s', payload: Buffer.from('offline'), qos: 1, retain: true },
		});
		await client.publishAsync('telemetry/b1/hall/s/co2', '420', { qos: 1 });
		await waitFor('it to be online', () => statesOf('s').length === 1);
		const seen = await messagesOn(client, 'status/s');
		await waitFor('the retained status', () => seen[0]?.payload === 'online' && seen[0].retain);
		expect(await listed()).toMatchObject([
			{ sensorId: 's', state: 'online', transport: 'mqtt', metric: 'co2', ...HALL },
		]);
		client.stream.destroy();
		await waitFor('it to be offline', () => statesOf('s').length === 2);
		expect(statesOf('s')).toEqual(['online', 'offline']);
		expect(await listed()).toMatchObject([{ sensorId: 's', state: 'offline' }]);
		const foreign = await world.account({ domainName: 'other', role: 'business_admin' });
		expect((await world.call('GET', '/devices', { token: foreign })).body.sensors).toEqual([]);
	});

	it('over Socket.IO: gone with its last connection', async () => {
		const token = await world.token('d1', { sensorIds: ['s'] });
		const [first, second] = [await sensorSocket(world.url, { token }), await sensorSocket(world.url, { token })];
		await sendReadings(second, { sensorId: 's', metric: 'co2', value: 420, ...HALL });
		first.disconnect();
		await waitFor(
			'it to be noticed',
			async () => (await sendReadings(second, { sensorId: 's', metric: 'co2', value: 421, ...HALL })).ok,
		);
		second.disconnect();
		await waitFor('it to be offline', () => statesOf('s').includes('offline'));
		expect(statesOf('s')).toEqual(['online', 'offline']);
	});
});
