import { setTimeout as sleep } from 'node:timers/promises';
import { type Reading, STREAMS } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, type GatewayWorldOptions, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { SetClock } from '../../src/testing/set-clock.ts';

const HOUR = 3600_000;
const READINGS = 200;

async function open(options: GatewayWorldOptions): Promise<GatewayWorld> {
	const world = await openGatewayWorld(options);
	onTestFinished(() => world.stop());
	return world;
}

/** The readings that a service's consumer group gets, in order. */
async function consume(world: GatewayWorld): Promise<Reading[]> {
	const given: Reading[] = [];
	await world.bus.consume(STREAMS.telemetry, 'twin', { member: 'a' }, async (entries) => {
		given.push(...entries.map(({ data }) => JSON.parse(data) as Reading));
	});
	return given;
}

describe('P7 honest time, in the gateway', () => {
	it(`acknowledges ${READINGS} readings of 1970, and relays them within 1 s of the truth once it knows`, async () => {
		const time = new SetClock(7000, { runs: true });
		const world = await open({ time });
		const given = await consume(world);
		const token = await world.token('d1');
		const client = await mqtt.connectAsync(world.mqttUrl, { username: 'd1', password: token });
		onTestFinished(() => client.endAsync(true));
		const truth = new Map<number, number>();
		for (let seq = 0; seq < READINGS; seq++) {
			const reading = { sensorId: 's1', metric: 'co2', value: 400 + (seq % 50), seq, buildingId: 'b1', roomId: 'hall' };
			truth.set(seq, time.monotonic());
			if (seq % 2 === 0) await client.publishAsync('telemetry/b1/hall/s1', JSON.stringify(reading), { qos: 1 });
			else
				expect(await world.call('POST', '/ingest', { token, body: reading })).toMatchObject({
					status: 202,
					body: { accepted: 1 },
				});
			if (seq % 20 === 0) time.pass(1000);
		}
		expect(given).toEqual([]);
		expect(await world.metric('gateway_log_held_back')).toBe(READINGS);
		expect(await world.metric('gateway_clock_quality')).toBe(2);

		const arrival = Date.now();
		time.set(arrival);
		const arrivedAt = time.monotonic();
		await waitFor('the readings', () => given.length === READINGS);
		expect(new Set(given.map(({ id }) => id)).size).toBe(READINGS);
		expect(given.map(({ seq }) => seq)).toEqual([...truth.keys()]);
		for (const { seq, observedAt, timeQuality } of given) {
			expect(Math.abs(observedAt - (arrival - (arrivedAt - truth.get(seq!)!)))).toBeLessThan(1000);
			expect(timeQuality).toBe('holdover');
		}
		expect(
			await world.call('POST', '/ingest', {
				token,
				body: { sensorId: 's1', metric: 'co2', value: 1, seq: 0, buildingId: 'b1', roomId: 'hall' },
			}),
		).toMatchObject({
			status: 202,
		});
		await waitFor('one more', () => given.length === READINGS + 1);
		expect(given.at(-1)).toMatchObject({ timeQuality: 'synced' });
	});

	it('survives a clock set back an hour: nothing is reordered, taken twice, dropped or expired', async () => {
		const time = new SetClock(Date.now(), { runs: true });
		// The readings are old enough to expire by the wall clock, in either direction, but not by the log's own time.
		const world = await open({ time, settings: { log: { maxAgeMs: HOUR / 2 } } });
		const token = await world.token('d1');
		const send = async (seq: number) => {
			const body = { sensorId: 's1', metric: 'co2', value: 400 + seq, seq, buildingId: 'b1', roomId: 'hall' };
			expect(await world.call('POST', '/ingest', { token, body })).toMatchObject({
				status: 202,
				body: { accepted: 1 },
			});
		};
		for (let seq = 0; seq < 50; seq++) await send(seq);
		time.step(-HOUR);
		for (let seq = 50; seq < 100; seq++) await send(seq);
		// Redeliveries of what came before and after the step.
		for (let seq = 0; seq < 100; seq++) await send(seq);
		time.step(3 * HOUR);
		for (let seq = 0; seq < 110; seq++) await send(seq);
		// The log looks for expired readings every second.
		await sleep(1100);
		const given = await consume(world);
		await waitFor('the readings', () => given.length >= 110);
		expect(given.map(({ seq }) => seq)).toEqual(Array.from({ length: 110 }, (_, seq) => seq));
		for (const [at, { observedAt, timeQuality }] of given.entries()) {
			if (at > 0) expect(observedAt).toBeGreaterThanOrEqual(given[at - 1]!.observedAt);
			expect(timeQuality).toBe(at >= 50 && at < 100 ? 'holdover' : 'synced');
		}
		expect(await world.metric('gateway_readings_duplicate_total')).toBe(200);
		expect(await world.metric('gateway_log_dropped')).toBe(0);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('relays readings as unsynced after the configured time where the clock is never set', async () => {
		const time = new SetClock(7000, { runs: true });
		const world = await open({ time, settings: { clock: { waitForMs: 1000, holdoverMs: 24 * HOUR } } });
		const given = await consume(world);
		const token = await world.token('d1');
		const stated = Date.UTC(2026, 5, 1);
		await world.call('POST', '/ingest', {
			token,
			body: { sensorId: 's1', metric: 'co2', value: 400, observedAt: stated, buildingId: 'b1', roomId: 'hall' },
		});
		await waitFor('the reading', () => given.length === 1);
		expect(given[0]).toMatchObject({ timeQuality: 'unsynced', deviceTime: stated });
	});
});
