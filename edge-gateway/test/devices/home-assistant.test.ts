import { TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HomeAssistantConfig } from '../../src/home-assistant/home-assistant-config.ts';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../../src/testing/mqtt-clients.ts';

const PLACE = { buildingId: 'b1', roomId: 'hall' };

async function gateway(homeAssistant: HomeAssistantConfig = { enabled: true, user: 'ha' }): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings: { homeAssistant } });
	onTestFinished(() => world.stop());
	return world;
}

/** A client that signs in as Home Assistant, with a device token for no sensor. */
async function homeAssistant(world: GatewayWorld, id = 'ha') {
	const client = await mqttClient(world.mqttUrl, id, await world.token(id, { sensorIds: ['none'] }));
	const messages = await messagesOn(client, 'homeassistant/#');
	const last = (topic: string) => messages.findLast((message) => message.topic === topic);
	return {
		client,
		messages,
		/** The last discovery message of an entity; an empty payload removes it. */
		config: (unique: string) => last(`homeassistant/sensor/${unique}/config`),
		state: (unique: string) =>
			JSON.parse(last(`homeassistant/sensor/${unique}/state`)?.payload || 'null') as { value: number } | null,
	};
}

const post = async (world: GatewayWorld, body: object) => {
	const answer = await world.call('POST', '/ingest', { token: await world.token('poster'), body });
	expect(answer.status).toBe(202);
};

describe('Home Assistant', () => {
	it('gets a discovery message and the values, in the units of the catalog, of every sensor', async () => {
		const world = await gateway();
		const ha = await homeAssistant(world);
		await post(world, {
			sensorId: 'th-1',
			...PLACE,
			temperature: 70.7,
			unit: 'degF',
			metric: 'temperature',
			value: 70.7,
		});
		await post(world, { sensorId: 'registered', metric: 'peopleIn', value: 3 });
		const unique = 'crowdvision_test_th-1_temperature';
		// The gateway publishes the status of a sensor whose device does not.
		const { payload, retain } = await waitFor('the discovery', () => {
			const message = ha.config(unique);
			return message?.payload.includes('availability') && message;
		});
		// A client that subscribed before gets it without the retain flag (MQTT-3.3.1-9).
		expect(retain).toBe(false);
		expect(JSON.parse(payload)).toEqual({
			name: 'Temperature',
			unique_id: unique,
			state_topic: `homeassistant/sensor/${unique}/state`,
			value_template: '{{ value_json.value }}',
			json_attributes_topic: `homeassistant/sensor/${unique}/state`,
			json_attributes_template: '{{ value_json.attributes | tojson }}',
			device_class: 'temperature',
			unit_of_measurement: '°C',
			state_class: 'measurement',
			suggested_display_precision: 1,
			expire_after: 300,
			availability: [{ topic: 'status/th-1' }],
			device: {
				identifiers: ['crowdvision_test_th-1'],
				name: 'th-1',
				manufacturer: 'CrowdVision',
				model: 'Sensor behind the gateway test',
				suggested_area: 'Hall',
			},
			origin: { name: 'CrowdVision' },
		});
		const state = await waitFor('its value', () => ha.state(unique));
		expect(state.value).toBeCloseTo(21.5);
		await waitFor(
			'the count of the room from its door',
			() => ha.state('crowdvision_test_registered_peopleCount')?.value === 3,
		);
		const later = await homeAssistant(world);
		expect(await waitFor('the retained message', () => later.config(unique))).toMatchObject({ retain: true, payload });
	});

	it.each([6, 10, 60])(
		'keeps the value of a sensor that sends every %s minutes as long as the dashboard does (P13)',
		async (every) => {
			const world = await gateway();
			const ha = await homeAssistant(world);
			const now = Date.now();
			const send = (minutesAgo: number) =>
				post(world, { sensorId: 'slow', ...PLACE, metric: 'co2', value: 600, observedAt: now - minutesAgo * 60_000 });
			await send(2 * every);
			const expiry = () => {
				const message = ha.config('crowdvision_test_slow_co2');
				return message && (JSON.parse(message.payload) as { expire_after: number }).expire_after;
			};
			await waitFor('the usual time', () => expiry() === 300);
			await send(every);
			await send(0);
			await waitFor('two and a half times its pause', () => expiry() === every * 150);
			expect((await world.stored()).map(({ freshFor }) => freshFor)).toEqual([
				300_000,
				every * 150_000,
				every * 150_000,
			]);
		},
	);

	it('learns the status topic of a device, and may subscribe to it', async () => {
		const world = await gateway();
		const ha = await homeAssistant(world);
		const device = await mqttClient(world.mqttUrl, 'd1', await world.token('d1', { sensorIds: ['d1'] }));
		await device.publishAsync('telemetry/b1/hall/d1/co2', '500', { qos: 1 });
		await device.publishAsync('status/d1', 'online', { qos: 1, retain: true });
		const unique = 'crowdvision_test_d1_co2';
		const availability = await waitFor('the availability', () => {
			const message = ha.config(unique);
			return message && (JSON.parse(message.payload) as { availability?: { topic: string }[] }).availability;
		});
		expect(availability).toEqual([{ topic: 'status/d1' }]);
		const statuses = await messagesOn(ha.client, 'status/d1');
		await waitFor('its status', () =>
			statuses.some(({ topic, payload }) => topic === 'status/d1' && payload === 'online'),
		);
	});

	it('gets all discovery messages and values again when it has started', async () => {
		const world = await gateway();
		const ha = await homeAssistant(world);
		await post(world, { sensorId: 's', ...PLACE, metric: 'co2', value: 600 });
		const unique = 'crowdvision_test_s_co2';
		await waitFor('its value', () => ha.state(unique));
		ha.messages.length = 0;
		await ha.client.publishAsync('homeassistant/status', 'online', { qos: 1 });
		await waitFor('the discovery message and the value', () => ha.config(unique) && ha.state(unique)?.value === 600);
	});

	it('is told to remove a sensor that was unregistered', async () => {
		const world = await gateway();
		const ha = await homeAssistant(world);
		await post(world, { sensorId: 'registered', metric: 'co2', value: 600 });
		const unique = 'crowdvision_test_registered_co2';
		await waitFor('the discovery', () => ha.config(unique)?.payload);
		await world.bus.retain(TABLES.sensors, 'registered', null);
		await post(world, { sensorId: 'other', ...PLACE, metric: 'co2', value: 600 });
		await waitFor('its removal', () => ha.config(unique)?.payload === '');
		const later = await homeAssistant(world);
		await waitFor('the other sensor', () => later.config('crowdvision_test_other_co2'));
		expect(later.config(unique)).toBeUndefined();
	});

	it('gets only the sensors of the configured buildings', async () => {
		const world = await gateway({ enabled: true, user: 'ha', buildings: ['b2'] });
		const ha = await homeAssistant(world);
		await post(world, { sensorId: 's', ...PLACE, metric: 'co2', value: 600 });
		const of2 = await world.call('POST', '/ingest', {
			token: await world.token('p2', { buildingId: 'b2' }),
			body: { sensorId: 's2', buildingId: 'b2', roomId: 'hall', metric: 'co2', value: 1 },
		});
		expect(of2.status).toBe(202);
		await waitFor('the other building', () => ha.config('crowdvision_test_s2_co2'));
		expect(ha.config('crowdvision_test_s_co2')).toBeUndefined();
	});
});

describe('below the prefix of Home Assistant', () => {
	it('only the configured user may subscribe, and only if the integration is enabled', async () => {
		for (const [config, user] of [
			[{ enabled: true, user: 'ha' }, 'd1'],
			[{ enabled: true }, 'ha'],
			[{}, 'ha'],
		] as [HomeAssistantConfig, string][]) {
			const world = await gateway(config);
			await expect(homeAssistant(world, user)).rejects.toThrow();
		}
	});

	it('that user may subscribe to nothing else: no telemetry, no command, no status of other sensors', async () => {
		const world = await gateway();
		const { client } = await homeAssistant(world);
		for (const filter of [
			'#',
			'+/#',
			'telemetry/#',
			'telemetry/b1/hall/s',
			'command/s',
			'status/+',
			'status/s',
			'homeassistant',
		])
			await expect(client.subscribeAsync(filter), filter).rejects.toThrow();
	});

	it('a device can neither announce a sensor nor report a start of Home Assistant', async () => {
		const world = await gateway();
		const device = await mqttClient(world.mqttUrl, 'd1', await world.token('d1'));
		for (const topic of ['homeassistant/sensor/fake/config', 'homeassistant/status']) {
			await device.publishAsync(topic, '{}', { qos: 1, retain: true });
			await refusedAs(world, 'bad_request', topic);
		}
		const ha = await homeAssistant(world);
		await ha.client.publishAsync('homeassistant/sensor/fake/config', '{}', { qos: 1 });
		await post(world, { sensorId: 's', ...PLACE, metric: 'co2', value: 600 });
		await waitFor('a real sensor', () => ha.config('crowdvision_test_s_co2'));
		expect(ha.config('fake')).toBeUndefined();
	});
});
