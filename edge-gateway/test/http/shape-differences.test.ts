import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { randomOf } from '../../src/testing/lane-flow.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { SetClock } from '../../src/testing/set-clock.ts';
import { shapeFlow } from '../../src/testing/shape-flow.ts';

/** How long messages are made and compared, for each transport; 60 and more is for runs by hand. */
const SECONDS = Number(process.env.LANE_SECONDS ?? 3);
const FIRST_SEED = Number(process.env.LANE_SEED ?? 1);
const NOW = Date.UTC(2026, 10, 30, 12);
const MESSAGES = 60;
const FAST = { messagesPerSecond: 1e6, messagesPerSecondPerAddress: 1e6 };

/** What a gateway has made of all messages. */
async function outcome(world: GatewayWorld) {
	const metrics = (await world.call('GET', '/metrics')).text
		.split('\n')
		.filter((line) => /^gateway_(readings_|ledger_|device_restarts)/.test(line));
	const token = await world.account({ domainName: '*', role: 'admin' });
	const { devices, sensors } = (await world.call('GET', '/devices', { token })).body;
	return {
		readings: (await world.stored()).map(({ id, ...reading }) => ({ ...reading, offset: id.split('-').at(-1) })),
		rejected: (await world.rejected()).map(({ id: _, ...rest }) => rest),
		...{ devices, sensors, metrics },
	};
}

describe('messages become the same records, rejections, counts and answers by shapes and by the long way', () => {
	let shaped: GatewayWorld;
	let long: GatewayWorld;
	beforeAll(async () => {
		shaped = await openGatewayWorld({ settings: FAST, time: new SetClock(NOW) });
		long = await openGatewayWorld({ settings: FAST, time: new SetClock(NOW) });
	});
	afterAll(async () => {
		await shaped.stop();
		await long.stop();
	});

	/** While the messages of a sensor are followed, no shape is used. */
	async function followed(): Promise<void> {
		const staff = await long.account({ domainName: 'acme', role: 'admin' });
		await long.call('GET', '/trace?sensor=nobody&minutes=60', { token: staff });
	}

	/** Sends flows to both gateways for some seconds; `send` resolves with the answer. */
	async function compare(send: (world: GatewayWorld, token: string, seed: number) => Promise<Sender>): Promise<void> {
		await followed();
		const ends = performance.now() + SECONDS * 1000;
		let seed = FIRST_SEED;
		do {
			const id = `d${seed}`;
			const token = await shaped.token(id, { buildingId: 'b1' });
			const next = shapeFlow(randomOf(seed), id, NOW);
			const [one, other] = [await send(shaped, token, seed), await send(long, token, seed)];
			for (let i = 0; i < MESSAGES; i++) {
				const message = next();
				const shown = `LANE_SEED=${seed}, message ${i}: ${JSON.stringify(message)}`;
				expect(await one.send(message), shown).toEqual(await other.send(message));
			}
			await Promise.all([one.end(), other.end()]);
			seed++;
		} while (performance.now() < ends);
		expect(await outcome(shaped)).toEqual(await outcome(long));
		expect(await long.metric('gateway_shaped_readings_total')).toBe(0);
	}

	it(
		'over HTTP: single readings, arrays and NDJSON',
		async () => {
			await compare(async (world, token) => ({
				async send({ layout, body, partial }) {
					const { status, text } = await world.call('POST', `/ingest${partial ? '?partial=1' : ''}`, {
						token,
						body: body.replaceAll('"sensorId"', '"roomId":"hall","sensorId"'),
						headers: { 'content-type': layout === 'lines' ? 'application/x-ndjson' : 'application/json' },
					});
					return { status, text };
				},
				end: async () => undefined,
			}));
			const taken = await shaped.metric('gateway_shaped_readings_total', { transport: 'http' });
			expect(taken).toBeGreaterThan((await shaped.stored()).length / 5);
			process.stdout.write(`by shape over HTTP: ${taken} of ${(await shaped.stored()).length}\n`);
		},
		SECONDS * 3000 + 60_000,
	);

	it(
		'over MQTT: arrays and single readings of several metrics under one topic',
		async () => {
			await compare(async (world, token, seed) => {
				const client = await mqttClient(world.mqttUrl, `d${seed}`, token, { clientId: `m${seed}` });
				return {
					async send({ layout, body }) {
						if (layout === 'lines') return undefined;
						// The topic names the sensor.
						const own = body.replaceAll(/("sensorId":"\w+)-\d"/g, '$1-0"');
						await client.publishAsync(`telemetry/b1/hall/d${seed}-0`, own, { qos: 1 });
						return 'acknowledged';
					},
					end: () => client.endAsync(),
				};
			});
			const taken = await shaped.metric('gateway_shaped_readings_total', { transport: 'mqtt' });
			process.stdout.write(`by shape over MQTT: ${taken}\n`);
			expect(taken).toBeGreaterThan(20);
		},
		SECONDS * 3000 + 60_000,
	);
});

interface Sender {
	send(message: ReturnType<ReturnType<typeof shapeFlow>>): Promise<unknown>;
	end(): Promise<unknown>;
}
