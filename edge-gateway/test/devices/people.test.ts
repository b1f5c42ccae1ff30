import type { CountChange, Proposal, Reading } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeConfig } from '../../src/bridge/config/bridge-config.ts';
import { bridgeTo, mosquitto, peer } from '../../src/testing/bridge-world.ts';
import { type GatewayWorld, type GatewayWorldOptions, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { sparkplugPayload } from '../../src/testing/sparkplug-node.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PLACE = { buildingId: 'b1', roomId: 'hall' };

async function gateway(settings: GatewayWorldOptions['settings'] = {}): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings });
	onTestFinished(async () => {
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
		await world.stop();
	});
	return world;
}
async function post(world: GatewayWorld, ...readings: object[]): Promise<void> {
	const body = readings.map((one) => ({ sensorId: 'door', ...PLACE, ...one }));
	const { status, text } = await world.call('POST', '/ingest', { token: await world.token('doors'), body });
	if (status !== 202) throw new Error(text);
}
const counts = async (world: GatewayWorld) => (await world.stored()).map(({ value }) => value);
const found = async (world: GatewayWorld) => (await world.stored()).map(({ crossings }) => crossings?.detected);
const staff = (world: GatewayWorld) => world.account({ domainName: 'acme', role: 'business_staff' });
async function audit(world: GatewayWorld): Promise<{ changes: CountChange[]; proposals: Proposal[] }> {
	const { body } = await world.call('GET', '/rooms/b1/hall/audit', { token: await staff(world) });
	return body as unknown as { changes: CountChange[]; proposals: Proposal[] };
}
async function why(world: GatewayWorld, query: string): Promise<{ text: string; hint: string }> {
	const { body } = await world.call('GET', `/trace?${query}`, { token: await staff(world) });
	return body as unknown as { text: string; hint: string };
}

describe('P13 people are not invented: a door that counts from its start', () => {
	const doors = { occupancy: { doors: [{ sensorId: 'door', counter: 'cumulative' as const, bias: 0, missRate: 0 }] } };

	it('counts nobody for a total that fell by two, three to five for the next, and says so', async () => {
		const world = await gateway(doors);
		for (const value of [990, 1000, 998, 1003]) await post(world, { metric: 'peopleIn', value });
		const readings = await world.stored();
		expect(readings.map(({ value }) => value)).toEqual([0, 10, 10, 13]);
		expect(readings.map(({ interval }) => interval)).toEqual([
			{ low: 0, high: 0 },
			{ low: 10, high: 10 },
			{ low: 10, high: 10 },
			{ low: 13, high: 15 },
		]);
		expect((await audit(world)).changes).toMatchObject([
			{ cause: 'crossings', before: 10, after: 13, in: 3, interval: { low: 13, high: 15 } },
			{ cause: 'unsure', before: 10, after: 10, in: 0 },
			{ cause: 'crossings', after: 10 },
			{ cause: 'first', after: 0 },
		]);
		const { text, hint } = await why(world, `id=${readings[2]!.id}`);
		expect(text).toContain('nobody is counted until that is clear');
		expect(hint).toContain('let the device send `boot`, `seq` or `uptime`');
	});

	it('tells a correction, a late message and a restart by seq, boot and uptime', async () => {
		const world = await gateway(doors);
		const send = (value: number, more: object) => post(world, { metric: 'peopleIn', value, ...more });
		await send(990, { seq: 1, boot: 'a' });
		await send(1000, { seq: 3, boot: 'a' });
		await send(996, { seq: 2, boot: 'a' });
		await send(998, { seq: 4, boot: 'a' });
		await send(1003, { seq: 5, boot: 'a' });
		await send(4, { seq: 1, boot: 'b' });
		expect(await found(world)).toEqual(['first', undefined, 'late', 'corrected', undefined, 'reset']);
		expect(await counts(world)).toEqual([0, 10, 10, 10, 15, 19]);
		// It has run for a day when its total falls; then it started two minutes ago.
		const earlier = Date.now() - 10 * MINUTE;
		await post(world, { metric: 'peopleOut', value: 900, uptime: 86_400, observedAt: earlier });
		await post(world, { metric: 'peopleOut', value: 3, uptime: 87_000 });
		expect((await found(world)).slice(-2)).toEqual(['first', 'unsure']);
		await post(world, { metric: 'peopleOut', value: 5, uptime: 120 });
		expect((await found(world)).at(-1)).toBe('reset');
	});
});

describe('P13 people are not invented: what is said again', () => {
	const door = (value: number, timestamp?: number) => ({
		...{ name: 'peopleIn', alias: 1, datatype: 3, int: value },
		...(timestamp !== undefined && { timestamp }),
	});

	it('in the births of a Sparkplug node is no event, with the time of the metric or that of the birth', async () => {
		const world = await gateway({ decoders: [{ topic: 'spBv1.0/#', use: 'sparkplug-b', defaults: PLACE }] });
		const node = await mqttClient(world.mqttUrl, 'pi', await world.token('pi'));
		const publish = (type: string, payload: Parameters<typeof sparkplugPayload>[0]) =>
			node.publishAsync(`spBv1.0/hq/${type}`, sparkplugPayload(payload), { qos: 1 });
		const at = Date.now() - 2000;
		const births = async (timestamp: number, metric: ReturnType<typeof door>) => {
			await publish('NBIRTH/pi', { seq: 0, timestamp, metrics: [{ name: 'bdSeq', datatype: 8, long: 1n }] });
			await publish('DBIRTH/pi/gate', { seq: 1, timestamp, metrics: [metric] });
		};
		// The first birth: whoever crossed before it was there.
		await births(at - 1000, door(0, at - 60_000));
		await publish('DDATA/pi/gate', { seq: 2, timestamp: at, metrics: [door(3, at)] });
		await births(at + 1500, door(3, at));
		await births(at + 1600, door(3));
		expect(await counts(world)).toEqual([0, 3, 3, 3]);
		expect((await found(world)).slice(2)).toEqual(['repeat', 'repeat']);
		// A birth that carries what no data said, as those were lost.
		await publish('DDATA/pi/gate', { seq: 3, timestamp: at + 1700, metrics: [door(2, at + 1700)] });
		expect((await counts(world)).at(-1)).toBe(5);
		expect((await why(world, `id=${(await world.stored())[2]!.id}`)).text).toContain('nobody is counted twice');
	});

	it('by a remote broker, which keeps it and sends it whenever we subscribe, is no event', async () => {
		const broker = await mosquitto('persistence true\npersistence_location {dir}/');
		const remote = await peer(broker);
		const at = Date.now() - HOUR;
		const publish = async (minute: number, retain: boolean) => {
			const reading = { metric: 'peopleIn', value: 4, observedAt: at + minute * MINUTE };
			await remote.publish('telemetry/b1/hall/door', JSON.stringify(reading), { retain });
			await remote.publish('telemetry/b1/hall/gate/peopleIn', '2', { retain });
		};
		await publish(0, true);
		const topics: BridgeConfig['topics'] = [{ pattern: 'telemetry/#', direction: 'in' }];
		const world = await gateway({ bridges: [bridgeTo(broker, { cleanSession: true, topics })] });
		const crossed = (of: number) =>
			waitFor(`${of} messages`, async () => {
				const all = await world.stored();
				return all.length === of ? all.map(({ crossings }) => crossings?.in) : undefined;
			});
		expect(await crossed(2)).toEqual([0, 0]);
		// What is published while we listen is an event, with the flag or without.
		await publish(1, false);
		await publish(2, true);
		expect(await crossed(6)).toEqual([0, 0, 4, 2, 4, 2]);
		await broker.kill('SIGTERM');
		await broker.restart();
		expect((await crossed(8)).slice(6)).toEqual([0, 0]);
		expect((await found(world)).filter((one) => one === 'repeat')).toHaveLength(4);
	});

	it('by a counter that repeats its last report is no event, nor is the same uplink by another gateway', async () => {
		const world = await gateway({
			decoders: [{ topic: 'application/+/device/+/event/+', use: 'chirpstack', defaults: PLACE }],
		});
		const server = await mqttClient(world.mqttUrl, 'ns', await world.token('ns'));
		const uplink = (fCnt: number, gatewayId: string) =>
			server.publishAsync(
				'application/1/device/24e124fffe000001/event/up',
				JSON.stringify({
					...{ deviceInfo: { devEui: '24e124fffe000001' }, devAddr: '00000001', fCnt, rxInfo: [{ gatewayId }] },
					...{ time: new Date(Date.now() - MINUTE).toISOString(), object: { people_in: 2, people_out: 1 } },
				}),
				{ qos: 1 },
			);
		await uplink(7, 'roof');
		await uplink(7, 'cellar');
		await uplink(8, 'roof');
		const sum = (all: Reading[], way: 'in' | 'out') => all.reduce((people, one) => people + one.crossings![way], 0);
		const readings = await world.stored();
		expect([sum(readings, 'in'), sum(readings, 'out')]).toEqual([4, 2]);
	});
});

describe('P13 people are not invented: a door that is mounted the wrong way round', () => {
	it('is found after two nights, and proposed in the audit and by why with the lines to paste', async () => {
		const world = await gateway();
		const midnight = Math.floor(Date.now() / DAY) * DAY - 4 * DAY;
		for (let day = 0; day < 3; day++) {
			const crossed = (metric: string, hour: number) =>
				Array.from({ length: 10 }, (_, n) => ({
					...{ metric, value: 2, observedAt: midnight + day * DAY + hour * HOUR + n * MINUTE + 1 },
				}));
			// People come in the morning, and the door says that they leave.
			await post(world, ...crossed('peopleOut', 8), ...crossed('peopleIn', 17));
		}
		const { changes, proposals } = await audit(world);
		expect(changes.filter(({ cause }) => cause === 'seems-swapped')).toMatchObject([{ sensorId: 'door' }]);
		expect(proposals).toMatchObject([{ sensorId: 'door', configuration: expect.stringContaining('swapped: true') }]);
		const { text, hint } = await why(world, 'sensor=door');
		expect(text).toContain(proposals[0]!.text);
		expect(hint).toContain(proposals[0]!.configuration);
	});
});
