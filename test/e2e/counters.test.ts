/** Several counters of one room, from their readings to everything that tells the room's value. */
import type { Alert, Answer, BuildingState, CountChange, HistoryPoint, Reading } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyReadings, applySnapshot, combine, emptySamples } from '../../frontend/src/lib/live/samples.ts';
import { COMPOSITIONS, type Site } from '../tenancy/site.ts';

const SIZE = { position: { x: 0, y: 0, z: 0 }, dimensions: { width: 5, height: 3, depth: 5 } };
const SUM = { peopleCount: 'sum' } as const;
const BUILDING = {
	id: 'works',
	domains: ['works'],
	rooms: [
		{ id: 'hall', name: 'Hall', capacity: 10, combine: SUM, ...SIZE },
		{ id: 'plain', name: 'Plain', capacity: 10, ...SIZE },
		{ id: 'lobby', name: 'Lobby', capacity: 10, combine: SUM, ...SIZE },
	],
};
const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe.each(COMPOSITIONS)('P14 several counters of one room: %s', (_, open) => {
	let site: Site;
	let token: string;
	let device: string;
	let socket: Socket;
	const live: Reading[] = [];

	const ask = <T>(method: string, path: string, body?: unknown) => site.call<T>(token, method, path, body);
	const send = (roomId: string, sensorId: string, value: number, more: object = {}) =>
		site.call(device, 'POST', '/ingest', {
			...{ sensorId, metric: 'peopleCount', value, buildingId: 'works', roomId, observedAt: Date.now() },
			...more,
		});
	const state = () => ask<BuildingState>('GET', '/twin/buildings/works/state');
	const countOf = async (roomId: string) => (await state()).rooms[roomId]?.values.peopleCount;
	const shows = (roomId: string, value: number) =>
		waitFor(`${value} in ${roomId}`, async () => {
			const found = await countOf(roomId);
			return found?.value === value ? found : undefined;
		});
	const alertOf = (roomId: string, wanted: Alert['state']) =>
		waitFor(`an alert that is ${wanted}`, async () => {
			const { alerts } = await ask<{ alerts: Alert[] }>('GET', '/notification/alerts');
			return alerts.find((alert) => alert.roomId === roomId && alert.state === wanted);
		});
	const answerTo = async (question: string) => (await ask<Answer>('POST', '/llm/ask', { question })).answer;
	const historyOf = async (roomId: string) => {
		const query = `room=${roomId}&metric=peopleCount&from=${Date.now() - 20 * MINUTE}&bucket=1m&agg=max`;
		return (await ask<{ points: HistoryPoint[] }>('GET', `/twin/buildings/works/history?${query}`)).points;
	};

	beforeAll(async () => {
		site = await open();
		token = await site.token([{ domainName: 'works', role: 'business_admin' }]);
		device = await site.tokens.signDevice({ id: 'hub', domainName: 'works' });
		await ask('POST', '/twin/buildings', BUILDING);
		socket = io(site.http, { auth: { token }, transports: ['websocket'] });
		socket.on('telemetry', (readings: Reading[]) => live.push(...readings));
		await socket.emitWithAck('subscribe', { buildingId: 'works' });
	}, 180_000);
	afterAll(async () => {
		socket?.close();
		await site?.stop();
	});

	it('shows 15 of 10 for 7 and 8 people, with an alert, and 8 without the word of the room', async () => {
		const snapshot = await state();
		for (const room of ['hall', 'plain']) {
			await send(room, `${room}-east`, 7);
			await send(room, `${room}-west`, 8);
		}
		expect(await shows('hall', 15)).toMatchObject({ combined: { rule: 'sum', counters: 2 }, freshness: 'live' });
		expect((await state()).rooms.hall?.occupancy).toBe('overcrowded');
		const plain = await shows('plain', 8);
		expect(plain).not.toHaveProperty('combined');
		const alert = await alertOf('hall', 'open');
		expect(alert).toMatchObject({ kind: 'occupancy', value: 15, limit: 10, combined: { rule: 'sum', counters: 2 } });
		expect(alert.message).toBe('Hall: 15 people (sum of 2 counters), more than the 10 allowed');
		await waitFor('the answer', async () =>
			(await answerTo('How many people are in the hall?')).startsWith('15 people'),
		);
		// The page comes to the same, by its snapshot and the live readings.
		await waitFor('them on the socket', () => live.filter(({ roomId }) => roomId === 'hall').length === 2);
		const samples = emptySamples(['hall']);
		applySnapshot(samples, snapshot);
		applyReadings(samples, live);
		expect(combine('peopleCount', samples.get('hall')?.peopleCount, Date.now(), undefined, SUM)).toMatchObject({
			value: 15,
		});
		expect(Math.max(...(await historyOf('hall')).map(({ value }) => value ?? 0))).toBe(15);
		expect(Math.max(...(await historyOf('plain')).map(({ value }) => value ?? 0))).toBe(8);
	});

	it('says everywhere that the sum is incomplete while a counter is silent, and ends no alert', async () => {
		// Of the same time as before, so that its value is out of date at once.
		await send('lobby', 'lobby-east', 7, { observedAt: Date.now() - 10 * MINUTE });
		await send('lobby', 'lobby-west', 12);
		const value = await shows('lobby', 12);
		expect(value.combined).toEqual({ rule: 'sum', counters: 2, silent: ['lobby-east'] });
		const alert = await alertOf('lobby', 'open');
		expect(alert.message).toBe('Lobby: 12 people (incomplete: 1 of 2 counters silent), more than the 10 allowed');
		await send('lobby', 'lobby-west', 3);
		await shows('lobby', 3);
		await waitFor('the word of the assistant', async () =>
			(await answerTo('How many people are in the lobby?')).includes('Incomplete: 1 of 2 counters is silent'),
		);
		expect((await state()).rooms.lobby).not.toHaveProperty('occupancy');
		expect(await alertOf('lobby', 'open')).toMatchObject({ id: alert.id, suspended: true });
		const answer = await ask<{ combine?: string }>(
			'GET',
			'/twin/buildings/works/history?room=lobby&metric=peopleCount',
		);
		expect(answer.combine).toBe('sum');
		expect((await historyOf('lobby')).some(({ incomplete = 0 }) => incomplete > 0)).toBe(true);
		// It comes back: the sum is whole again, and the alert ends.
		await send('lobby', 'lobby-east', 2);
		expect((await shows('lobby', 5)).combined).toEqual({ rule: 'sum', counters: 2 });
		expect((await alertOf('lobby', 'resolved')).message).toBe(
			'Lobby: 5 people (sum of 2 counters), back within the limit of 10',
		);
	});

	it('adds the doors as one counter, also after a correction, and the audit says so', async () => {
		const cross = (door: string, peopleIn: number) =>
			send('hall', door, peopleIn, { metric: 'peopleIn', observedAt: undefined });
		await cross('door-1', 2);
		await cross('door-2', 1);
		await shows('hall', 18);
		await ask('POST', '/gateway/rooms/works/hall/correction', { count: 1 });
		expect(await shows('hall', 16)).toMatchObject({ combined: { counters: 3 } });
		const audit = await ask<{ changes: CountChange[]; combine?: string }>('GET', '/gateway/rooms/works/hall/audit');
		expect(audit.combine).toBe('sum');
		expect(audit.changes[0]).toMatchObject({ cause: 'correction', before: 3, after: 1 });
	});

	it('follows another word of the room at once, also in its history', async () => {
		await ask('PATCH', '/twin/buildings/works/rooms/plain', { combine: SUM });
		expect(await countOf('plain')).toMatchObject({ value: 15 });
		expect(Math.max(...(await historyOf('plain')).map(({ value }) => value ?? 0))).toBe(15);
		await ask('PATCH', '/twin/buildings/works/rooms/plain', { combine: null });
		expect(await countOf('plain')).toMatchObject({ value: 8 });
		const wrong = await site.ask(token, 'PATCH', '/twin/buildings/works/rooms/plain', { combine: { peoples: 'sum' } });
		expect([wrong.status, wrong.text]).toEqual([422, expect.stringContaining('/combine/peoples')]);
	});
});
