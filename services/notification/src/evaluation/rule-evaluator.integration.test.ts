import {
	BUILT_IN_METRICS,
	CrowdVisionError,
	FRESHNESS_MS,
	type RetainedBuilding,
	TABLES,
} from '@crowdvision/contracts';
import { BuildingDirectory, isAfter } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, readingOf, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AlertRepository } from '../alerts/alert-repository.ts';
import { Alerts } from '../alerts/alerts.ts';
import { NOTIFICATION_STORE, type OutboxDocument, type RoomDocument, roomKey } from '../store.ts';
import { RuleEvaluator } from './rule-evaluator.ts';

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
/** When each offline sensor went offline, in epoch ms. */
let offlineSince: Record<string, number>;
const presence = {
	of: (sensorId: string) => (offlineSince[sensorId] === undefined ? {} : { offlineAt: offlineSince[sensorId] }),
};

const evaluatorOn = (on: Store) =>
	new RuleEvaluator({
		store: on,
		repository: new AlertRepository(on),
		directory,
		presence,
		dwellMs: 0,
		catalog: BUILT_IN_METRICS,
		after: (a, b) => isAfter(world.parts.bus, a, b),
	});
const alertsOf = () =>
	new Alerts({ store, repository: new AlertRepository(store), directory, presence, catalog: BUILT_IN_METRICS });
const list = async (now: number) =>
	(await alertsOf().list(ADA.memberships, { limit: 100, after: undefined }, now)).alerts;
const outbox = async () =>
	(await store.collection<OutboxDocument>('outbox').find({ limit: 1000 })).map(({ value }) => value.alert);
let position = 0;
const observed = (metric: 'peopleCount' | 'temperature' | 'co2', value: number, observedAt: number) => ({
	reading: readingOf({ buildingId: 'museum-1', roomId: 'hall', metric, value, observedAt, sensorId: `hall-${metric}` }),
	position: String(++position),
});

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		store = await world.parts.stores.open('notification', NOTIFICATION_STORE);
		directory = new BuildingDirectory(world.parts.logger);
		offlineSince = {};
		await world.parts.bus.retain(TABLES.buildings, MUSEUM.id, JSON.stringify(MUSEUM));
		await directory.follow(world.parts.bus);
	});
	afterEach(() => world.stop());

	describe('P13 right in meaning: a reading from ahead', () => {
		const HOUR = 60 * MINUTE;
		const counted = (value: number, observedAt: number, receivedAt: number) => {
			const one = observed('peopleCount', value, observedAt);
			return { ...one, reading: { ...one.reading, receivedAt } };
		};

		it('does not keep an overcrowded room from raising its alert', async () => {
			const evaluator = evaluatorOn(store);
			await evaluator.observe([counted(2, T0 + 20 * HOUR, T0)], T0);
			expect(await evaluator.observe([counted(125, T0 + 1000, T0 + 1000)], T0 + 1000)).toMatchObject([
				{ kind: 'occupancy', state: 'open', value: 125 },
			]);
		});

		it('does not do so where an earlier version has stored it with its condition', async () => {
			const rooms = store.collection<RoomDocument>('rooms');
			const ahead = T0 + 20 * HOUR;
			const stored: RoomDocument = {
				...{ buildingId: 'museum-1', roomId: 'hall' },
				sensors: [
					{
						metric: 'peopleCount',
						sensorId: 'hall-peopleCount',
						value: 2,
						observedAt: ahead,
						position: String(++position),
					},
				],
				conditions: [{ kind: 'occupancy', phase: 'clear', since: null, side: null, seenAt: ahead, alertId: null }],
			};
			await store.commit([rooms.insert(roomKey('museum-1', 'hall'), stored)]);
			const evaluator = evaluatorOn(store);
			expect(await evaluator.observe([counted(125, T0, T0)], T0)).toMatchObject([{ state: 'open', value: 125 }]);
			expect(await evaluator.observe([counted(20, T0 + 1000, T0 + 1000)], T0 + 1000)).toMatchObject([
				{ state: 'resolved' },
			]);
		});
	});

	describe('P8 an open alert', () => {
		it('is suspended, not resolved, while its sensor sends nothing, and goes on when it sends again', async () => {
			const evaluator = evaluatorOn(store);
			await evaluator.observe([observed('temperature', 30, T0)], T0);
			const [opened] = await list(T0);
			expect(opened).toMatchObject({ kind: 'temperature', state: 'open' });
			expect(opened).not.toHaveProperty('suspended');

			const silent = T0 + FRESHNESS_MS + 1;
			expect(await list(silent)).toEqual([{ ...opened, suspended: true }]);
			expect(await evaluator.review('museum-1', silent)).toEqual([]);
			// An outdated reading says nothing about the present.
			expect(await evaluator.observe([observed('temperature', 20, T0 + 1000)], silent + FRESHNESS_MS)).toEqual([]);
			expect(await list(silent + FRESHNESS_MS)).toEqual([{ ...opened, suspended: true }]);

			expect(
				await evaluator.observe([observed('temperature', 29, silent + 2 * FRESHNESS_MS)], silent + 2 * FRESHNESS_MS),
			).toEqual([]);
			expect(await list(silent + 2 * FRESHNESS_MS)).toEqual([opened]);
			const over = silent + 2 * FRESHNESS_MS + MINUTE;
			expect(await evaluator.observe([observed('temperature', 22, over)], over)).toMatchObject([
				{ id: opened!.id, state: 'resolved' },
			]);
			expect(await list(over + FRESHNESS_MS * 2)).toMatchObject([{ state: 'resolved' }]);
			expect((await list(over + FRESHNESS_MS * 2))[0]).not.toHaveProperty('suspended');
		});

		it('is suspended while its sensor is offline: a new limit is not evaluated for its last value', async () => {
			const evaluator = evaluatorOn(store);
			await evaluator.observe([observed('temperature', 30, T0), observed('co2', 900, T0)], T0);
			offlineSince = { 'hall-temperature': T0 + 1000, 'hall-co2': T0 + 1000 };
			const limits = { temperature: { max: 40 }, co2: { max: 800 } };
			await world.parts.bus.retain(
				TABLES.buildings,
				MUSEUM.id,
				JSON.stringify({ ...MUSEUM, rooms: [{ ...MUSEUM.rooms[0], limits }] }),
			);
			expect(await evaluator.review('museum-1', T0 + 2000)).toEqual([]);
			expect(await list(T0 + 2000)).toMatchObject([{ state: 'open', suspended: true }]);
			offlineSince = {};
			expect(await evaluator.review('museum-1', T0 + 3000)).toMatchObject([
				{ kind: 'temperature', state: 'resolved' },
				{ kind: 'co2', state: 'open' },
			]);
		});
	});

	describe('P10 the evaluation of a batch of readings', () => {
		it('opens and resolves each alert once when replicas evaluate and acknowledge in parallel', async () => {
			const rounds = mongoUrl ? 10 : 30;
			const evaluators = [evaluatorOn(store), evaluatorOn(store), evaluatorOn(store)];
			let now = T0;
			for (let n = 0; n < rounds; n++) {
				const batch = [observed('peopleCount', 130, ++now), observed('peopleCount', 131, ++now)];
				const opened = (await Promise.all(evaluators.map((evaluator) => evaluator.observe(batch, now)))).flat();
				expect(opened).toHaveLength(1);
				const end = [observed('peopleCount', 10, ++now)];
				await Promise.all([
					alertsOf()
						.acknowledge(opened[0]!.id, ADA)
						.catch(() => {}),
					...evaluators.map((evaluator) => evaluator.observe(end, now)),
				]);
			}
			const byAlert = Map.groupBy(await outbox(), ({ id }) => id);
			expect(byAlert.size).toBe(rounds);
			for (const states of [...byAlert.values()].map((events) => events.map(({ state }) => state))) {
				expect([states[0], states.at(-1), new Set(states).size]).toEqual(['open', 'resolved', states.length]);
			}
			expect((await list(now)).map(({ state }) => state)).toEqual(Array.from({ length: rounds }, () => 'resolved'));
		});

		it('is unavailable when parallel changes never end, so that the readings are delivered again', async () => {
			const busy: Store = Object.create(store, {
				commit: { value: () => Promise.reject(new CrowdVisionError('conflict', 'a parallel change came first')) },
				collection: { value: store.collection.bind(store) },
			});
			await expect(evaluatorOn(busy).observe([observed('peopleCount', 130, T0)], T0)).rejects.toMatchObject({
				code: 'unavailable',
			});
			expect(await outbox()).toEqual([]);
		});

		it('resolves an open alert that the stored room does not know of', async () => {
			const evaluator = evaluatorOn(store);
			const [opened] = await evaluator.observe([observed('peopleCount', 130, T0)], T0);
			// The state of a store whose rooms were restored from an older backup than its alerts.
			await store.commit([store.collection('rooms').remove('museum-1/hall')]);
			expect(await evaluator.observe([observed('peopleCount', 131, T0 + 1)], T0 + 1)).toEqual([]);
			expect(await evaluator.observe([observed('peopleCount', 10, T0 + 2)], T0 + 2)).toMatchObject([
				{ id: opened!.id, state: 'resolved' },
			]);
			expect(await list(T0 + 3)).toHaveLength(1);
		});
	});

	describe('A2 the severity of an alert', () => {
		it('rises and falls while it is open, and leaves it acknowledged', async () => {
			const limits = { temperature: { max: 26, criticalMax: 30 } };
			const building = { ...MUSEUM, rooms: [{ ...MUSEUM.rooms[0]!, limits }] };
			await world.parts.bus.retain(TABLES.buildings, MUSEUM.id, JSON.stringify(building));
			await vi.waitFor(() => expect(directory.room('museum-1', 'hall')?.limits).toEqual(limits));
			const evaluator = evaluatorOn(store);
			const [opened] = await evaluator.observe([observed('temperature', 27, T0)], T0);
			await alertsOf().acknowledge(opened!.id, ADA);
			await evaluator.observe([observed('temperature', 31, T0 + 1000)], T0 + 1000);
			const critical = { state: 'acknowledged', severity: 'critical', value: 31, side: 'max' };
			expect(await list(T0 + 1000)).toMatchObject([critical]);
			await evaluator.observe([observed('temperature', 27, T0 + 2000)], T0 + 2000);
			await evaluator.observe([observed('temperature', 20, T0 + 3000)], T0 + 3000);
			expect((await outbox()).map(({ id, state, severity }) => [id === opened!.id, state, severity])).toEqual([
				[true, 'open', 'warning'],
				[true, 'acknowledged', 'warning'],
				[true, 'acknowledged', 'critical'],
				[true, 'acknowledged', 'warning'],
				[true, 'resolved', 'warning'],
			]);
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
			'states the measured value in its unit and the limit: %s %d',
			async (metric, value, open, after, resolved) => {
				const evaluator = evaluatorOn(store);
				expect((await evaluator.observe([observed(metric, value, T0)], T0))[0]).toMatchObject({
					kind: metric,
					severity: 'warning',
					message: open,
				});
				expect((await evaluator.observe([observed(metric, after, T0 + 1)], T0 + 1))[0]?.message).toBe(resolved);
			},
		);
	});
});
