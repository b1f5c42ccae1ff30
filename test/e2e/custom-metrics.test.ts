/** Metrics that gateway.yaml defines, through everything that the embedded whole does with a metric. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
	Alert,
	Answer,
	BuildingColumns,
	BuildingState,
	HistoryPoint,
	MetricsResponse,
	Thresholds,
} from '@crowdvision/contracts';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMAIL, PASSWORD, request } from './world.ts';

const BUILDING = {
	id: 'works',
	rooms: [
		{
			id: 'hall',
			name: 'Hall',
			capacity: 10,
			position: { x: 0, y: 0, z: 0 },
			dimensions: { width: 5, height: 3, depth: 5 },
		},
	],
};
const HALL = { buildingId: 'works', roomId: 'hall' };
const VOLTAGE = `
  - {key: voltage, unit: V, min: 0, max: 400, decimals: 1, kind: gauge, name: {en: Mains voltage, it: Tensione di rete}}
`;
const CONTACT = '  - {key: contact, unit: "", min: 0, max: 1, kind: state, name: {en: Door contact, it: Porta}}\n';

describe('P13 a metric that gateway.yaml defines, in the embedded whole', () => {
	let dir: string;
	let running: Running;
	let http: string;
	let token: string;
	let device: string;

	const configure = (...metrics: string[]) =>
		writeFile(
			join(dir, 'gateway.yaml'),
			`metrics:\n${metrics.join('').replace(/^\n/, '')}configuration: {trial: 0s}\n`,
		);
	const ask = <T>(method: string, path: string, body?: unknown, by = token) =>
		request<T>(http, method, path, { token: by, body });
	const send = (metric: string, value: number) =>
		ask('POST', '/ingest', { sensorId: 'meter', ...HALL, metric, value }, device);
	const latestOf = async (metric: string) =>
		(await ask<BuildingState>('GET', '/twin/buildings/works/state')).rooms.hall?.values[metric];
	const catalog = async () => (await ask<MetricsResponse>('GET', '/twin/metrics')).metrics;

	beforeAll(async () => {
		dir = await mkdtemp(join(tmpdir(), 'crowdvision-metrics-'));
		await configure(VOLTAGE, CONTACT);
		running = await startNode('standalone.ts', {
			env: {
				PORT: '0',
				MQTT_PORT: '0',
				DATA_DIR: join(dir, 'data'),
				GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
				DEMO: '0',
				LOG_LEVEL: 'warn',
				REDIS_URL: undefined,
			},
			ready: /^ready (http:\S+) mqtt:\S+$/m,
			timeoutMs: 40_000,
		});
		http = running.ready[1]!;
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
		await rm(dir, { recursive: true, force: true });
	});

	it('is in the catalog and among the columns of the dashboard', async () => {
		const metrics = await waitFor('the metric', async () => {
			const all = await catalog();
			return all.voltage && all;
		});
		expect(metrics.voltage).toEqual({
			unit: 'V',
			min: 0,
			max: 400,
			decimals: 1,
			combine: 'mean',
			label: { en: 'Mains voltage', it: 'Tensione di rete' },
		});
		expect(metrics.contact).toMatchObject({ kind: 'state', combine: 'max' });
		const { columns } = await ask<BuildingColumns>('GET', '/twin/buildings/works/columns');
		expect(columns).toContain('voltage');
		await ask('PUT', '/twin/buildings/works/columns', { columns: ['voltage', 'co2'] });
		await expect(ask('PUT', '/twin/buildings/works/columns', { columns: ['unheard'] })).rejects.toThrow(/invalid/);
	});

	it('has limits, opens an alert in words and ends it', async () => {
		const limits = { building: { voltage: { max: 240, severity: 'warning' } }, rooms: {} };
		await ask<Thresholds>('PUT', '/twin/buildings/works/thresholds', limits);
		for (const wrong of [{ voltage: { max: 500 } }, { unheard: { max: 1 } }])
			await expect(ask('PUT', '/twin/buildings/works/thresholds', { building: wrong, rooms: {} })).rejects.toThrow();
		await send('voltage', 251.25);
		await waitFor('its value', async () => (await latestOf('voltage'))?.value === 251.25);
		const alerts = () => ask<{ alerts: Alert[] }>('GET', '/notification/alerts').then(({ alerts: all }) => all);
		const [opened] = await waitFor('the alert', async () => {
			const all = await alerts();
			return all.length > 0 && all;
		});
		expect(opened).toMatchObject({ kind: 'voltage', state: 'open', value: 251.25, limit: 240 });
		expect(opened!.message).toBe('Hall: mains voltage 251.3 V, above the limit of 240 V');
		await send('voltage', 220);
		await waitFor('its end', async () => (await alerts())[0]?.state === 'resolved');
	});

	it('has a history, can be exported, and is known to the assistant', async () => {
		await send('contact', 1);
		await waitFor('the contact', async () => (await latestOf('contact'))?.value === 1);
		const query = `room=hall&metric=voltage&from=${Date.now() - 60_000}&to=${Date.now() + 60_000}&bucket=1m&agg=max`;
		const { points } = await ask<{ points: HistoryPoint[] }>('GET', `/twin/buildings/works/history?${query}`);
		expect(points.flatMap(({ value }) => value ?? [])).toContain(251.25);
		const exported = await fetch(`${http}/twin/buildings/works/export?metric=voltage&room=hall`, {
			headers: { authorization: `Bearer ${token}` },
		});
		expect((await exported.text()).split('\r\n')).toContainEqual(expect.stringMatching(/^\S+Z,hall,meter,251\.25,V$/));
		await waitFor('the answer', async () => {
			const { answer, grounded } = await ask<Answer>('POST', '/llm/ask', {
				question: 'What is the mains voltage in the hall?',
			});
			return grounded && answer.startsWith('Mains voltage in Hall: 220 V.');
		});
	});

	it('that is taken out is refused from then on, and keeps its history', async () => {
		await configure(CONTACT);
		await waitFor('the change', async () => (await catalog()).voltage?.retired === true);
		await expect(send('voltage', 230)).rejects.toThrow(/invalid_reading/);
		const query = `room=hall&metric=voltage&from=${Date.now() - 600_000}&bucket=1m&agg=max`;
		const { points } = await ask<{ points: HistoryPoint[] }>('GET', `/twin/buildings/works/history?${query}`);
		expect(points.flatMap(({ value }) => value ?? [])).toContain(251.25);
		expect(await latestOf('voltage')).toMatchObject({ value: 220, unit: 'V' });
		expect((await ask<BuildingColumns>('GET', '/twin/buildings/works/columns')).columns).toEqual(['voltage', 'co2']);
	});
});
