import { waitFor } from '@crowdvision/testing/wait';
import { expect, it, onTestFinished } from 'vitest';
import { bridgeTo, connected, mosquitto, peer } from '../../src/testing/bridge-world.ts';
import { openGatewayWorld } from '../../src/testing/gateway-world.ts';

it("decodes a vendor's messages from a bridge like those of the local broker", async () => {
	const broker = await mosquitto();
	const world = await openGatewayWorld({
		settings: {
			bridges: [bridgeTo(broker, { topics: [{ pattern: 'zigbee2mqtt/#', direction: 'in', qos: 1 }] })],
			decoders: [{ topic: 'zigbee2mqtt/+', use: 'zigbee2mqtt', defaults: { buildingId: 'b1', roomId: 'hall' } }],
		},
	});
	onTestFinished(() => world.stop());
	await connected(world);
	const remote = await peer(broker);
	await remote.publish('zigbee2mqtt/hall_climate', '{"temperature":27.34,"linkquality":90}');
	const [reading] = await waitFor('the reading', async () => {
		const stored = await world.stored();
		return stored.length > 0 && stored;
	});
	expect(reading).toMatchObject({ sensorId: 'hall_climate', metric: 'temperature', value: 27.34, roomId: 'hall' });
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
});
