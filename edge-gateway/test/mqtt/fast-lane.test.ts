import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld();
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

let lastId = 0;
async function newDevice() {
	const id = `l-${++lastId}`;
	const sensorId = `f-${lastId}`;
	const token = await world.token(id, { sensorIds: [sensorId] });
	return { id, sensorId, token, topic: `telemetry/b1/hall/${sensorId}` };
}
const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);
const shaped = () => world.metric('gateway_mqtt_fast_lane_total', { way: 'shape' });
const whole = () => world.metric('gateway_mqtt_fast_lane_total', { way: 'whole' });

describe.each([
	['TCP', () => world.mqttUrl],
	['WebSocket', () => world.wsUrl],
] as const)('readings over MQTT over %s', (_name, urlOf) => {
	it('that differ from an earlier one only in their numbers are stored without the broker and without parsing', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		const before = await shaped();
		const sent = Array.from({ length: 50 }, (_, seq) => ({
			...{ sensorId, metric: 'co2', value: 400 + seq * 1.25, unit: 'ppm', buildingId: 'b1', roomId: 'hall' },
			...{ observedAt: Date.now() - 1000 + seq, seq, boot: 'a1' },
		}));
		for (const reading of sent) await client.publishAsync(topic, JSON.stringify(reading), { qos: 1 });
		const stored = await storedOf(sensorId);
		expect(stored.map(({ value, seq, observedAt }) => ({ value, seq, observedAt }))).toEqual(
			sent.map(({ value, seq, observedAt }) => ({ value, seq, observedAt })),
		);
		expect(stored.at(-1)).toEqual({
			...stored[0],
			...sent.at(-1),
			id: stored.at(-1)!.id,
			receivedAt: expect.any(Number),
		});
		expect((await shaped()) - before).toBeGreaterThan(40);
	});

	it('that have no shape are stored without the broker', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		const before = await whole();
		for (let seq = 0; seq < 10; seq++)
			await client.publishAsync(topic, JSON.stringify([{ metric: 'co2', value: 400 + seq, seq }]), { qos: 0 });
		await waitFor('all readings', async () => (await storedOf(sensorId)).length === 10);
		expect((await whole()) - before).toBeGreaterThan(5);
	});
});
