import { CrowdVisionError, FRESHNESS_MS, type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import { BuildingDirectory, isAfter } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, readingOf, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AlertBook } from '../alerts/alert-repository.ts';
import { Alerts } from '../alerts/alerts.ts';
import { NOTIFICATION_STORE, type OutboxDocument } from '../store.ts';
import { Watchman } from './rule-evaluator.ts';

const MUSEUM: RetainedBuilding = {
	id: 'museum-1',
	name: 'Museum',
	domains: ['museum'],
	rooms: [
		{ id: 'hall', name: 'Hall', capacity: 100, limits: { temperature: { min: 18, max: 26 }, co2: { max: 1000 } } },
	],
};
const ADA = { sub: 'ada', memberships: [{ domainName: 'museum', role: 'business_staff' as const }] };
const T0 = 1_800_000_000_000;
const MINUTE = 60_000;

let world: ServiceWorld;
let store: Store;
let directory: BuildingDirectory;
/** When the sensor went offline. */
let gone: Record<string, number>;
const presence = { of: (sensorId: string) => (gone[sensorId] === undefined ? {} : { offlineAt: gone[sensorId] }) };

const watchmanOn = (on: Store) =>
	new Watchman({
		store: on,
		book: new AlertBook(on),
		directory,
		presence,
		dwellMs: 0,
		after: (a, b) => isAfter(world.parts.bus, a, b),
	});
const alertsOf = () => new Alerts({ store, book: new AlertBook(store), directory, presence });
const list = (now: number) => alertsOf().list(ADA.memberships, 100, now);
const outbox = async () =>
	(await store.collection<OutboxDocument>('outbox').find({ limit: 1000 })).map(({ value }) => value.alert);
let position = 0;
const said = (metric: 'peopleCount' | 'temperature' | 'co2', value: number, observedAt: number) => ({
	reading: readingOf({ buildingId: 'museum-1', roomId: 'hall', metric, value, observedAt, sensorId: `hall-${metric}` }),
	position: String(++position),
});

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		store = await world.parts.stores.open('notification', NOTIFICATION_STORE);
		directory = new BuildingDirectory(world.parts.logger);
		gone = {};
		await world.parts.bus.retain(TABLES.buildings, MUSEUM.id, JSON.stringify(MUSEUM));
		await directory.follow(world.parts.bus);
	});
	afterEach(() => world.stop());

	describe('P8 alerts', () => {
		it('suspend, not clear, while their sensor is silent, and go on when it is heard again', async () => {
			const watchman = watchmanOn(store);
			await watchman.observe([said('temperature', 30, T0)], T0);
			const [opened] = await list(T0);
			expect(opened).toMatchObject({ kind: 'temperature', state: 'open' });
			expect(opened).not.toHaveProperty('suspended');

			const silent = T0 + FRESHNESS_MS + 1;
			expect(await list(silent)).toEqual([{ ...opened, suspended: true }]);
			expect(await watchman.review('museum-1', silent)).toEqual([]);
			// It comes from the past, and is no word on how things are.
			expect(await watchman.observe([said('temperature', 20, T0 + 1000)], silent + FRESHNESS_MS)).toEqual([]);
			expect(await list(silent + FRESHNESS_MS)).toEqual([{ ...opened, suspended: true }]);

			expect(
				await watchman.observe([said('temperature', 29, silent + 2 * FRESHNESS_MS)], silent + 2 * FRESHNESS_MS),
			).toEqual([]);
			expect(await list(silent + 2 * FRESHNESS_MS)).toEqual([opened]);
			const over = silent + 2 * FRESHNESS_MS + MINUTE;
			expect(await watchman.observe([said('temperature', 22, over)], over)).toMatchObject([
				{ id: opened!.id, state: 'resolved' },
			]);
			expect(await list(over + FRESHNESS_MS * 2)).toMatchObject([{ state: 'resolved' }]);
			expect((await list(over + FRESHNESS_MS * 2))[0]).not.toHaveProperty('suspended');
		});

		it('suspend while their sensor is offline: a new limit neither opens nor clears on what it said', async () => {
			const watchman = watchmanOn(store);
			await watchman.observe([said('temperature', 30, T0), said('co2', 900, T0)], T0);
			gone = { 'hall-temperature': T0 + 1000, 'hall-co2': T0 + 1000 };
			const limits = { temperature: { max: 40 }, co2: { max: 800 } };
			await world.parts.bus.retain(
				TABLES.buildings,
				MUSEUM.id,
				JSON.stringify({ ...MUSEUM, rooms: [{ ...MUSEUM.rooms[0], limits }] }),
			);
			expect(await watchman.review('museum-1', T0 + 2000)).toEqual([]);
			expect(await list(T0 + 2000)).toMatchObject([{ state: 'open', suspended: true }]);
			gone = {};
			expect(await watchman.review('museum-1', T0 + 3000)).toMatchObject([
				{ kind: 'temperature', state: 'resolved' },
				{ kind: 'co2', state: 'open' },
			]);
		});
	});

	describe('P10 a batch of readings', () => {
		it('is decided anew, never twice, when others decide the same or acknowledge meanwhile', async () => {
			const rounds = mongoUrl ? 10 : 30;
			const watchmen = [watchmanOn(store), watchmanOn(store), watchmanOn(store)];
			let now = T0;
			for (let n = 0; n < rounds; n++) {
				const batch = [said('peopleCount', 130, ++now), said('peopleCount', 131, ++now)];
				const opened = (await Promise.all(watchmen.map((one) => one.observe(batch, now)))).flat();
				expect(opened).toHaveLength(1);
				const end = [said('peopleCount', 10, ++now)];
				await Promise.all([
					alertsOf()
						.acknowledge(opened[0]!.id, ADA)
						.catch(() => {}),
					...watchmen.map((one) => one.observe(end, now)),
				]);
			}
			const told = await outbox();
			const byAlert = Map.groupBy(told, ({ id }) => id);
			expect(byAlert.size).toBe(rounds);
			for (const states of [...byAlert.values()].map((events) => events.map(({ state }) => state))) {
				expect([states[0], states.at(-1), new Set(states).size]).toEqual(['open', 'resolved', states.length]);
			}
			expect((await list(now)).map(({ state }) => state)).toEqual(Array.from({ length: rounds }, () => 'resolved'));
		});

		it('waits when others never stop changing the same: it is unavailable, and no fault of the readings', async () => {
			const busy: Store = Object.create(store, {
				commit: { value: () => Promise.reject(new CrowdVisionError('conflict', 'somebody was quicker')) },
				collection: { value: store.collection.bind(store) },
			});
			await expect(watchmanOn(busy).observe([said('peopleCount', 130, T0)], T0)).rejects.toMatchObject({
				code: 'unavailable',
			});
			expect(await outbox()).toEqual([]);
		});

		it('takes an open alert for the room’s own that the room has forgotten, and ends that', async () => {
			const watchman = watchmanOn(store);
			const [opened] = await watchman.observe([said('peopleCount', 130, T0)], T0);
			// As a store would be whose rooms were restored from an older backup than its alerts.
			await store.commit([store.collection('rooms').remove('museum-1/hall')]);
			expect(await watchman.observe([said('peopleCount', 131, T0 + 1)], T0 + 1)).toEqual([]);
			expect(await watchman.observe([said('peopleCount', 10, T0 + 2)], T0 + 2)).toMatchObject([
				{ id: opened!.id, state: 'resolved' },
			]);
			expect(await list(T0 + 3)).toHaveLength(1);
		});
	});

	describe('an alert', () => {
		it.each([
			[
				'temperature',
				30.25,
				'Hall: temperature 30.3 °C, above the limit of 26 °C',
				22,
				'Hall: temperature 22 °C, back within the limit of 26 °C',
			],
			[
				'temperature',
				3,
				'Hall: temperature 3 °C, below the limit of 18 °C',
				20,
				'Hall: temperature 20 °C, back within the limit of 18 °C',
			],
			[
				'co2',
				1250,
				'Hall: CO₂ 1,250 ppm, above the limit of 1,000 ppm',
				400,
				'Hall: CO₂ 400 ppm, back within the limit of 1,000 ppm',
			],
		] as const)(
			'says what was measured, in its unit, and the limit: %s %d',
			async (metric, value, open, after, resolved) => {
				const watchman = watchmanOn(store);
				expect((await watchman.observe([said(metric, value, T0)], T0))[0]).toMatchObject({
					kind: metric,
					severity: 'warning',
					message: open,
				});
				expect((await watchman.observe([said(metric, after, T0 + 1)], T0 + 1))[0]?.message).toBe(resolved);
			},
		);
	});
});
