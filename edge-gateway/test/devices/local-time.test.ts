import { describe, expect, it, onTestFinished } from 'vitest';
import type { DecoderRule } from '../../src/decode/decoder-config.ts';
import { type GatewayWorld, type GatewayWorldOptions, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { serialLine } from '../../src/testing/serial-line.ts';

const PLACE = { buildingId: 'b1', roomId: 'hall' };
const LOG: DecoderRule = {
	...{ topic: 'acme/+/log', use: 'jsonata', timeZone: 'Europe/Rome', defaults: PLACE },
	mapping: '[$.{"sensorId": "door", "metric": "peopleIn", "value": n, "observedAt": at}]',
};

async function gateway(settings: GatewayWorldOptions['settings']): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings });
	onTestFinished(async () => {
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
		await world.stop();
	});
	return world;
}
const times = async (world: GatewayWorld) =>
	(await world.stored()).map(({ observedAt }) => new Date(observedAt).toISOString().slice(0, 16));

describe('P13 right in meaning: a backlog in local time over a change of the clocks', () => {
	const AUTUMN = ['01:50', '02:10', '02:30', '02:50', '02:10', '02:30', '02:50', '03:10'];
	const AUTUMN_UTC = ['23:50', '00:10', '00:30', '00:50', '01:10', '01:30', '01:50', '02:10'];
	const SPRING = ['01:30', '01:50', '03:10', '03:30'];
	const SPRING_UTC = ['00:30', '00:50', '01:10', '01:30'];

	it.each<[string, string, string[], string[], boolean]>([
		['back, in one message', '2024-10-27', AUTUMN, AUTUMN_UTC, true],
		['back, in a message each', '2024-10-27', AUTUMN, AUTUMN_UTC, false],
		['forward, in one message', '2024-03-31', SPRING, SPRING_UTC, true],
		['forward, in a message each', '2024-03-31', SPRING, SPRING_UTC, false],
	])('%s, loses nobody and counts nobody twice', async (_text, day, local, utc, isOne) => {
		const world = await gateway({ decoders: [LOG] });
		const client = await mqttClient(world.mqttUrl, 'acme', await world.token('acme'));
		const crossed = local.map((time) => ({ n: 1, at: `${day} ${time}:00` }));
		for (const message of isOne ? [crossed] : crossed.map((one) => [one]))
			await client.publishAsync('acme/door/log', JSON.stringify(message), { qos: 1 });
		expect((await times(world)).map((time) => time.slice(11))).toEqual(utc);
		expect((await world.stored()).at(-1)?.value).toBe(local.length);
	});
});

describe('P13 right in meaning: the time zone', () => {
	it('of a rule reads the local time of a Tasmota device, and leaves times with an offset alone', async () => {
		const world = await gateway({
			decoders: [{ topic: 'tele/+/SENSOR', use: 'tasmota', timeZone: 'America/New_York', defaults: PLACE }],
		});
		const client = await mqttClient(world.mqttUrl, 'tasmota', await world.token('tasmota'));
		for (const Time of ['2024-07-01T12:00:00', '2024-12-01T12:00:00', '2024-12-01T12:00:00+01:00'])
			await client.publishAsync('tele/th/SENSOR', JSON.stringify({ Time, AM2301: { Temperature: 20 } }), { qos: 1 });
		expect(await times(world)).toEqual(['2024-07-01T16:00', '2024-12-01T17:00', '2024-12-01T11:00']);
	});

	it('of a serial port reads the local times of its device', async () => {
		const line = await serialLine();
		const world = await gateway({
			serial: [{ path: line.path, timeZone: 'Asia/Tokyo', defaults: { sensorId: 's', ...PLACE } }],
		});
		await line.send(
			{ metric: 'co2', value: 400, seq: 1, observedAt: '2024-07-01T12:00:00' },
			{ metric: 'co2', value: 401, seq: 2, observedAt: '2024-07-01T12:00:00Z' },
		);
		await line.answered('ACK 2');
		expect(await times(world)).toEqual(['2024-07-01T03:00', '2024-07-01T12:00']);
	});

	it('is UTC without any, wherever the gateway stands', async () => {
		const world = await gateway({});
		const body = { sensorId: 's', ...PLACE, metric: 'co2', value: 400, observedAt: '2024-07-01T12:00:00' };
		await world.call('POST', '/ingest', { token: await world.token('s'), body });
		expect(await times(world)).toEqual(['2024-07-01T12:00']);
	});
});

describe('P13 right in meaning: a backlog in seconds, milliseconds, micro- or nanoseconds since 1970', () => {
	it.each([
		['seconds', 1000],
		['milliseconds', 1],
		['microseconds', 1e-3],
		['nanoseconds', 1e-6],
	])('in %s is stored at its times, ten minutes apart', async (_unit, ms) => {
		const world = await gateway({});
		const at = Date.UTC(2024, 6, 1, 12);
		const body = [0, 600_000, 1_200_000].map((later) => ({
			...{ sensorId: 's', ...PLACE, metric: 'co2', value: 400, observedAt: (at + later) / ms },
		}));
		const { status } = await world.call('POST', '/ingest', { token: await world.token('s'), body });
		expect(status).toBe(202);
		expect(await times(world)).toEqual(['2024-07-01T12:00', '2024-07-01T12:10', '2024-07-01T12:20']);
		expect((await world.stored()).map(({ timeQuality }) => timeQuality)).toEqual(['synced', 'synced', 'synced']);
	});
});
