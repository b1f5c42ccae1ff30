import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
	Alert,
	Answer,
	BuildingState,
	CountChange,
	HistoryPoint,
	Proposal,
	Reading,
} from '@crowdvision/contracts';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyReadings, applySnapshot, combine, emptySamples } from '../../frontend/src/lib/live/samples.ts';
import { sensorViews } from '../../frontend/src/lib/rooms/sensor-view.ts';
import { EMAIL, PASSWORD, request } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const room = (id: string) => ({
	...{ id, name: id, capacity: 10 },
	...{ position: { x: 0, y: 0, z: 0 }, dimensions: { width: 5, height: 3, depth: 5 } },
});
const BUILDING = {
	id: 'works',
	rooms: ['hall', 'lab', 'attic', 'cellar', 'roof-6', 'roof-10', 'roof-60'].map(room),
};

/** Everything in one process, through its HTTP and Socket.IO alone; and the page's own logic on what it gets there. */
describe('P13 right in meaning: the embedded whole', () => {
	let dataDir: string;
	let running: Running;
	let http: string;
	let token: string;
	let device: string;
	let socket: Socket;
	const live: Reading[] = [];

	const ask = <T>(method: string, path: string, body?: unknown, by = token) =>
		request<T>(http, method, path, { token: by, body });
	const send = (roomId: string, metric: string, value: number, observedAt?: number, more: object = {}) => {
		const reading = { sensorId: `${roomId}-${metric}`, metric, value, buildingId: 'works', roomId, ...more };
		return ask('POST', '/ingest', observedAt === undefined ? reading : { ...reading, observedAt }, device);
	};
	const state = () => ask<BuildingState>('GET', '/twin/buildings/works/state');
	const latest = async (roomId: string, metric: 'peopleCount' | 'co2' | 'temperature' | 'humidity') =>
		(await state()).rooms[roomId]?.values[metric];
	const alertsOf = async (roomId: string) =>
		(await ask<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts.filter((alert) => alert.roomId === roomId);
	const audit = (roomId: string) =>
		ask<{ changes: CountChange[]; proposals: Proposal[] }>('GET', `/gateway/rooms/works/${roomId}/audit`);
	const why = (sensorId: string) =>
		ask<{ text: string; hint: string }>('GET', `/gateway/trace?sensor=${encodeURIComponent(sensorId)}`);

	beforeAll(async () => {
		dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-meaning-'));
		running = await startNode('standalone.ts', {
			env: {
				...{ PORT: '0', MQTT_PORT: '0', DATA_DIR: dataDir, DEMO: '0', LOG_LEVEL: 'warn' },
				...{ REDIS_URL: undefined, GATEWAY_CONFIG: undefined },
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
		const thresholds = { building: { co2: { max: 1000, dwellSeconds: 60 } }, rooms: {} };
		await ask('PUT', '/twin/buildings/works/thresholds', thresholds);
		device = (await ask<{ token: string }>('POST', '/auth/domains/works/devices', { name: 'hub' })).token;
		socket = io(http, { auth: { token }, transports: ['websocket'] });
		socket.on('telemetry', (readings: Reading[]) => live.push(...readings));
		await socket.emitWithAck('subscribe', { buildingId: 'works' });
	});
	afterAll(async () => {
		socket?.close();
		await running?.stop();
		await rm(dataDir, { recursive: true, force: true });
	});

	it('shows the 26 people that came after 2 from twenty hours ahead, live, and raises the alert', async () => {
		const snapshot = await state();
		await send('hall', 'peopleCount', 2, Date.now() + 20 * HOUR);
		await send('hall', 'peopleCount', 25, Date.now());
		await send('hall', 'peopleCount', 26);
		await waitFor('the count', async () => (await latest('hall', 'peopleCount'))?.value === 26);
		expect(await latest('hall', 'peopleCount')).toMatchObject({ freshness: 'live', stale: false });
		expect((await state()).rooms.hall?.occupancy).toBe('overcrowded');
		const alerts = await waitFor('the alert', async () => {
			const found = await alertsOf('hall');
			return found.length > 0 ? found : undefined;
		});
		expect(alerts).toMatchObject([{ kind: 'occupancy', state: 'open', value: 25 }]);
		await waitFor('it on the socket', () => live.filter(({ roomId }) => roomId === 'hall').length === 3);
		const [ahead] = live.filter(({ roomId }) => roomId === 'hall');
		expect(ahead).toMatchObject({ value: 2, timeQuality: 'unsynced', deviceTime: expect.any(Number) });
		expect(ahead!.observedAt).toBe(ahead!.receivedAt);
		// The page comes to the same, by its snapshot and the live readings.
		const samples = emptySamples(['hall']);
		applySnapshot(samples, snapshot);
		applyReadings(samples, live);
		expect(combine('peopleCount', samples.get('hall')?.peopleCount, Date.now())).toMatchObject({
			value: 26,
			freshness: 'live',
		});
		const { answer } = await ask<Answer>('POST', '/llm/ask', { question: 'How many people are in the hall?' });
		expect(answer).toContain('26');
		const { text, hint } = await ask<{ text: string; hint: string }>('GET', `/gateway/trace?id=${ahead!.id}`);
		expect(text).toContain("20 hours ahead of the gateway's clock");
		expect(hint).toContain('Set the clock of the device');
	});

	it('keeps a sensor that sends every 5.5 minutes live, and opens the alert of a limit with a dwell time', async () => {
		const first = Date.now() - 5.5 * MINUTE;
		await send('lab', 'co2', 1800, first);
		await send('lab', 'co2', 1800, Date.now());
		const value = await waitFor('the value', async () => {
			const found = await latest('lab', 'co2');
			return found && found.observedAt > first ? found : undefined;
		});
		expect(value).toMatchObject({ freshness: 'live', freshFor: 14 * MINUTE });
		expect(value.freshUntil).toBe(value.observedAt + 14 * MINUTE);
		await waitFor('the alert', async () => (await alertsOf('lab')).some(({ state }) => state === 'open'));
		// The page greys it out when twin says so, and not before.
		const samples = emptySamples(['lab']);
		applySnapshot(samples, await state());
		const shown = (at: number) => combine('co2', samples.get('lab')?.co2, at)?.freshness;
		expect([shown(value.freshUntil), shown(value.freshUntil + 1)]).toEqual(['live', 'stale']);
	});

	it.each([6, 10, 60])(
		'agrees everywhere that a sensor that sends every %s minutes is live in between',
		async (every) => {
			const sensorId = `rare-${every}`;
			const now = Date.now();
			const freshFor = every * 2.5 * MINUTE;
			const soFar = live.length;
			for (const ago of [2 * every, every, 0])
				await send('roof', 'co2', 1800 + every, now - ago * MINUTE, { sensorId, roomId: `roof-${every}` });
			const value = await waitFor('the value', async () => {
				const found = await latest(`roof-${every}`, 'co2');
				return found?.observedAt === now ? found : undefined;
			});
			expect(value).toMatchObject({ freshness: 'live', freshFor, freshUntil: now + freshFor });
			await waitFor('the alert', async () => (await alertsOf(`roof-${every}`)).some((alert) => alert.state === 'open'));
			await waitFor(
				'it on the socket',
				() => live.slice(soFar).filter((one) => one.sensorId === sensorId).length === 3,
			);
			expect(live.findLast((one) => one.sensorId === sensorId)).toMatchObject({ freshFor });
			const samples = emptySamples([`roof-${every}`]);
			applySnapshot(samples, await state());
			const shown = (at: number) => combine('co2', samples.get(`roof-${every}`)?.co2, at)?.freshness;
			expect([now + every * MINUTE, now + freshFor, now + freshFor + 1].map(shown)).toEqual(['live', 'live', 'stale']);
			const question = `How high is the CO2 in roof-${every}?`;
			const { answer } = await ask<Answer>('POST', '/llm/ask', { question });
			expect(answer).toContain(`1,${800 + every} ppm`);
		},
	);

	it('goes by the cadence that the registry of sensors has', async () => {
		const registered = { sensorId: 'attic-temperature', roomId: 'attic', cadenceSeconds: 3600 };
		expect(await ask('POST', '/twin/buildings/works/sensors', registered)).toEqual({
			...registered,
			buildingId: 'works',
		});
		await waitFor('the cadence at the gateway', async () => {
			await send('attic', 'temperature', 20);
			return (await latest('attic', 'temperature'))?.freshFor === 150 * MINUTE;
		});
		const { sensors } = await ask<{ sensors: object[] }>('GET', '/twin/buildings/works/sensors');
		expect(sensors).toContainEqual(registered);
	});

	it('clips humidity up to 105 % and marks it: in why, in the state, in the history and on the page', async () => {
		await expect(send('attic', 'humidity', 105.5)).rejects.toThrow(/invalid_reading/);
		await send('attic', 'humidity', 103.5, undefined, { sensorName: 'Dachboden' });
		const value = await waitFor('the value', () => latest('attic', 'humidity'));
		const marked = { value: 100, clipped: true, sensorId: 'attic-humidity', sensorName: 'Dachboden' };
		expect(value).toMatchObject(marked);
		const query = `room=attic&metric=humidity&from=${Date.now() - 60_000}&to=${Date.now() + 60_000}&bucket=1m`;
		const { points } = await ask<{ points: HistoryPoint[] }>('GET', `/twin/buildings/works/history?${query}`);
		expect(points.filter((point) => point.value !== null)).toEqual([
			expect.objectContaining({ value: 100, clipped: true }),
		]);
		const { text, hint } = await why('attic-humidity');
		expect(text).toContain('a little more than there can be, so the value is the upper limit');
		expect(hint).toContain('dry or replace the sensor');
		// The page marks it, from the live reading and from the snapshot alike.
		await waitFor('it on the socket', () => live.some(({ clipped, roomId }) => clipped && roomId === 'attic'));
		const [read, loaded] = [emptySamples(['attic']), emptySamples(['attic'])];
		applyReadings(read, live);
		applySnapshot(loaded, await state());
		for (const samples of [read, loaded]) {
			expect(combine('humidity', samples.get('attic')?.humidity, Date.now())).toMatchObject({
				value: 100,
				clipped: true,
			});
			const views = sensorViews(samples.get('attic')!, ['humidity'], Date.now());
			expect(views.find(({ sensorId }) => sensorId === 'attic-humidity')).toMatchObject({
				name: 'Dachboden',
				values: [{ value: 100, clipped: true }],
			});
		}
		await send('attic', 'humidity', 99);
		await waitFor('the next value', async () => (await latest('attic', 'humidity'))?.value === 99);
		expect(await latest('attic', 'humidity')).not.toHaveProperty('clipped');
	});

	it('says in the audit and in why what it made of a repeated crossing', async () => {
		const at = Date.now() - 1;
		const crossed = at % 1000 === 0 ? at - 1 : at;
		await send('cellar', 'peopleIn', 3, crossed, { sensorId: 'door' });
		await send('cellar', 'peopleIn', 3, crossed, { sensorId: 'door' });
		await waitFor('the count', async () => (await latest('cellar', 'peopleCount')) !== undefined);
		const { changes, proposals } = await audit('cellar');
		expect(changes.map(({ cause, after }) => [cause, after])).toEqual([
			['repeat', 3],
			['crossings', 3],
		]);
		expect(proposals).toEqual([]);
		expect((await why('door')).text).toContain('it repeats what was reported before');
	});
});
