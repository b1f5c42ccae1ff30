import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildingState, HistoryPoint } from '@crowdvision/contracts';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMAIL, PASSWORD, request } from './world.ts';

const BUILDING = {
	id: 'works',
	rooms: [{ id: 'hall', capacity: 10, position: { x: 0, y: 0, z: 0 }, dimensions: { width: 5, height: 3, depth: 5 } }],
};
const HALL = { buildingId: 'works', roomId: 'hall' };

/**
 * A gateway and twin in one process, with an empty building: strangers are adopted and broken sensors replaced through
 * the API alone.
 */
describe('the embedded whole', () => {
	let dataDir: string;
	let running: Running;
	let http: string;
	let token: string;
	let device: string;

	async function begin(): Promise<void> {
		running = await startNode('standalone.ts', {
			env: {
				PORT: '0',
				MQTT_PORT: '0',
				DATA_DIR: dataDir,
				DEMO: '0',
				LOG_LEVEL: 'warn',
				REDIS_URL: undefined,
				GATEWAY_CONFIG: undefined,
			},
			ready: /^ready (http:\S+) mqtt:\S+$/m,
			timeoutMs: 40_000,
		});
		http = running.ready[1]!;
	}
	const ask = <T>(method: string, path: string, body?: unknown, by = token) =>
		request<T>(http, method, path, { token: by, body });
	const send = (sensorId: string, value: number, observedAt = Date.now()) =>
		ask('POST', '/ingest', { sensorId, metric: 'co2', value, observedAt }, device);
	const co2 = async () => (await ask<BuildingState>('GET', '/twin/buildings/works/state')).rooms.hall?.values.co2;
	const registered = async () => (await ask<{ sensors: object[] }>('GET', '/twin/buildings/works/sensors')).sensors;

	beforeAll(async () => {
		dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-devices-'));
		await begin();
		const first = await request<{ token: string }>(http, 'POST', '/auth/register', {
			body: { email: EMAIL, password: PASSWORD, name: 'Ada' },
		});
		await ask('POST', '/auth/domains', { name: 'works' }, first.token);
		token = (await ask<{ token: string }>('POST', '/auth/refresh', undefined, first.token)).token;
		await ask('POST', '/twin/buildings', BUILDING);
		device = (await ask<{ token: string }>('POST', '/auth/domains/works/devices', { name: 'hub' })).token;
	});
	afterAll(async () => {
		await running?.stop();
		await rm(dataDir, { recursive: true, force: true });
	});

	it("adopts an unknown device with one action, and keeps it in twin's registry through a kill -9", async () => {
		await expect(send('old-co2', 800)).rejects.toThrow(/unknown_sensor/);
		const { quarantined } = await ask<{ quarantined: object[] }>('GET', '/gateway/devices');
		expect(quarantined).toMatchObject([{ sensorId: 'old-co2', metric: 'co2', count: 1 }]);
		await ask('POST', '/gateway/devices/old-co2/adopt', HALL);
		await running.kill();
		await begin();
		await send('old-co2', 800);
		await waitFor('it in the registry', async () => (await registered()).length === 1);
		expect(await registered()).toEqual([{ sensorId: 'old-co2', roomId: 'hall' }]);
		await waitFor('its value', async () => (await co2())?.value === 800);
	});

	it('replaces a broken sensor: the room follows the new one at once and keeps its history', async () => {
		const brokenAt = Date.now() - 3 * 60_000;
		await send('old-co2', 900, brokenAt);
		await send('old-co2', 950, Date.now() - 1000);
		await ask('POST', '/gateway/devices/old-co2/replace', { by: 'new-co2' });
		await send('new-co2', 500);
		// The worst of a room's sensors is its value, but not of one that is no more.
		await waitFor('the new value', async () => (await co2())?.value === 500);
		await expect(send('old-co2', 1000)).rejects.toThrow(/not_admitted/);
		await waitFor(
			'the exchange in the registry',
			async () => JSON.stringify(await registered()) === '[{"sensorId":"new-co2","roomId":"hall"}]',
		);
		const query = `room=hall&metric=co2&from=${brokenAt - 60_000}&to=${Date.now() + 60_000}&bucket=1m&agg=max`;
		const { points } = await ask<{ points: HistoryPoint[] }>('GET', `/twin/buildings/works/history?${query}`);
		const values = points.flatMap(({ value }) => value ?? []);
		expect(values).toContain(900);
		expect(values.at(-1)).toBeLessThan(1000);
		const { sensors } = await ask<{ sensors: { sensorId: string; state: string }[] }>('GET', '/gateway/devices');
		expect(Object.fromEntries(sensors.map(({ sensorId, state }) => [sensorId, state]))).toEqual({
			'old-co2': 'offline',
			'new-co2': 'online',
		});
	});
});
