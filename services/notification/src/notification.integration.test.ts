import {
	type Alert,
	CHANNELS,
	FRESHNESS_MS,
	type Membership,
	type RetainedBuilding,
	TABLES,
} from '@crowdvision/contracts';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createNotification } from './index.ts';
import { NOTIFICATION_STORE, type OutboxDocument, outboxKey } from './store.ts';

let world: ServiceWorld;
let notification: Served;
/** The alerts announced since the last `begin`. */
let announced: Alert[];
let listening: { close(): Promise<void> } | undefined;

const MUSEUM: RetainedBuilding = {
	id: 'museum-1',
	name: 'Museum',
	domains: ['museum'],
	rooms: [
		{ id: 'hall', name: 'Hall', capacity: 100 },
		{ id: 'attic', name: 'Attic', capacity: 10, limits: { temperature: { max: 30, min: 10 } } },
	],
};
const STAFF: Membership = { domainName: 'museum', role: 'business_staff' };

const announce = (building: RetainedBuilding | null, id = 'museum-1') =>
	world.parts.bus.retain(TABLES.buildings, id, building && JSON.stringify(building));

async function begin(building: RetainedBuilding | null = MUSEUM): Promise<void> {
	if (building) await announce(building);
	announced = [];
	await listening?.close();
	listening = await world.parts.bus.listen(CHANNELS.notifications, (message) =>
		announced.push(JSON.parse(message) as Alert),
	);
	notification = await world.serve(createNotification);
}

/** Waits longer than vi.waitFor does by default, for a busy machine. */
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000 });
let clock: number;
/** The time of the next reading: 0.1 s after the previous one, and all of them in the last minutes. */
const tick = () => {
	clock += 100;
	return clock;
};
const count = (value: number, more: object = {}) =>
	readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'peopleCount', value, observedAt: tick(), ...more });
const events = () => announced.map(({ kind, state }) => `${kind} ${state}`);
const list = async (...memberships: Membership[]) =>
	(await notification.call<{ alerts: Alert[] }>('GET', '/alerts', { token: await world.token(...memberships) })).body
		.alerts;
/** Waits until every reading sent before is evaluated: opens and resolves an alert in another room. */
async function settle(): Promise<void> {
	const at = Date.now();
	await world.tell(
		readingOf({ buildingId: 'museum-1', roomId: 'attic', metric: 'peopleCount', value: 99, observedAt: at }),
	);
	await until(() => expect(announced.some(({ roomId, state }) => roomId === 'attic' && state === 'open')).toBe(true));
	await world.tell(
		readingOf({ buildingId: 'museum-1', roomId: 'attic', metric: 'peopleCount', value: 0, observedAt: at + 1 }),
	);
	await until(() =>
		expect(announced.some(({ roomId, state }) => roomId === 'attic' && state === 'resolved')).toBe(true),
	);
	announced = announced.filter(({ roomId }) => roomId !== 'attic');
}

beforeEach(async () => {
	clock = Date.now() - 200_000;
	world = await openServiceWorld();
});
afterEach(() => world.stop());

describe('P10 an alert', () => {
	it('opens and resolves once per excursion, through 1,000 oscillations, repetitions and restarts', async () => {
		await begin();
		const readings = Array.from({ length: 1000 }, (_, n) => count(n % 2 === 0 ? 101 : 99));
		await world.tell(...readings.slice(0, 500));
		await settle();
		expect(events()).toEqual(['occupancy open']);
		await world.restart();
		await begin();
		await world.tell(...readings.slice(200, 1000));
		await settle();
		expect(events()).toEqual([]);
		await world.tell(count(95));
		await settle();
		expect(events()).toEqual(['occupancy resolved']);
		await world.restart();
		await begin();
		// Every reading again, from the beginning: none of them is new.
		await world.tell(...readings);
		await settle();
		expect(events()).toEqual([]);
		const [alert, ...others] = (await list(STAFF)).filter(({ roomId }) => roomId === 'hall');
		expect(others).toEqual([]);
		expect(alert).toMatchObject({
			state: 'resolved',
			kind: 'occupancy',
			severity: 'critical',
			value: 95,
			limit: 100,
			domainNames: ['museum'],
		});
	});

	it('tells what happened, where, and which domains it concerns', async () => {
		await begin();
		await world.tell(count(130));
		await until(() => expect(announced).toHaveLength(1));
		expect(announced[0]).toEqual({
			id: expect.any(String),
			domainNames: ['museum'],
			buildingId: 'museum-1',
			roomId: 'hall',
			kind: 'occupancy',
			severity: 'critical',
			state: 'open',
			value: 130,
			limit: 100,
			side: 'max',
			observedAt: clock,
			message: 'Hall: 130 people, more than the 100 allowed',
		});
		await world.tell(count(90));
		await until(() => expect(announced).toHaveLength(2));
		expect(announced[1]).toMatchObject({
			id: announced[0]!.id,
			state: 'resolved',
			value: 90,
			message: 'Hall: 90 people, back within the limit of 100',
		});
	});

	it('neither opens nor resolves on a reading that is stale or older than the last one', async () => {
		await begin();
		await world.tell(count(150, { observedAt: Date.now() - FRESHNESS_MS - 60_000 }));
		await settle();
		expect(events()).toEqual([]);
		await world.tell(count(150, { observedAt: clock + 1000 }), count(0, { observedAt: clock + 500 }));
		await settle();
		expect(events()).toEqual(['occupancy open']);
		await world.tell(count(0, { observedAt: Date.now() - FRESHNESS_MS - 60_000, sensorId: 'another-door' }));
		await settle();
		expect(events()).toEqual(['occupancy open']);
	});

	it('follows the last of several readings of the same moment', async () => {
		await begin();
		const [full, empty] = [count(150, { observedAt: clock }), count(0, { observedAt: clock })];
		await world.tell(full, empty);
		await settle();
		expect(events()).toEqual(['occupancy open', 'occupancy resolved']);
	});

	it('depends on all sensors of the room: two that differ around the limit open it once', async () => {
		await begin();
		const degrees = (sensorId: string, value: number) =>
			readingOf({
				buildingId: 'museum-1',
				roomId: 'attic',
				metric: 'temperature',
				value,
				sensorId,
				observedAt: tick(),
			});
		for (let n = 0; n < 50; n++) await world.tell(degrees('hot', 33), degrees('cool', 25));
		await world.tell(count(101));
		await until(() => expect(events()).toContain('occupancy open'));
		// The first sensor alone was above the limit. The mean of both, 29, is neither above it nor at the clear level.
		expect(events()).toEqual(['temperature open', 'occupancy open']);
		await world.tell(degrees('hot', 30));
		await until(() => expect(events()).toEqual(['temperature open', 'occupancy open', 'temperature resolved']));
	});

	it('opens when its building is announced after the readings, and ends with its limit', async () => {
		await begin(null);
		await world.tell(count(101));
		await world.tell(readingOf({ buildingId: 'museum-1', roomId: 'attic', metric: 'temperature', value: 40 }));
		await announce(MUSEUM);
		await until(() => expect(events().sort()).toEqual(['occupancy open', 'temperature open']));
		await announce({ ...MUSEUM, rooms: [{ id: 'hall', name: 'Hall', capacity: 120 }] });
		await until(() => expect(events()).toContain('temperature resolved'));
		await announce({ ...MUSEUM, rooms: [{ id: 'hall', name: 'Hall', capacity: 200 }] });
		await until(() => expect(events()).toEqual(expect.arrayContaining(['occupancy resolved'])));
		expect(events()).toHaveLength(4);
	});

	it('is announced after a crash between decision and announcement, with the same id', async () => {
		await begin();
		await world.tell(count(150));
		await until(() => expect(announced).toHaveLength(1));
		const [alert] = announced;
		await notification.close();
		const store = await world.parts.stores.open('notification', NOTIFICATION_STORE);
		const outbox = store.collection<OutboxDocument>('outbox');
		expect(await outbox.find({ limit: 10 })).toEqual([]);
		// The state that a crash before the removal would have left.
		await store.commit([outbox.insert(outboxKey(1), { alert: alert! })]);
		await store.close();
		await begin();
		await until(() => expect(announced).toEqual([alert]));
	});
});

describe('access to an alert', () => {
	beforeEach(async () => {
		await begin();
		await world.tell(count(150));
		await until(() => expect(announced).toHaveLength(1));
	});

	const ack = async (id: string, ...memberships: Membership[]) =>
		notification.call<Alert>('POST', `/alerts/${id}/ack`, { token: await world.token(...memberships) });

	it('is limited to members of the domains of its building', async () => {
		expect(await list({ domainName: 'museum', role: 'standard_customer' })).toEqual(announced);
		expect(await list({ domainName: 'zoo', role: 'admin' })).toEqual([]);
		expect(await list()).toEqual([]);
		expect((await notification.call('GET', '/alerts')).status).toBe(401);
	});

	it('is denied to everybody while its building is unknown', async () => {
		await announce(null);
		await until(async () => expect(await list({ domainName: 'museum', role: 'admin' })).toEqual([]));
		expect((await ack(announced[0]!.id, { domainName: 'museum', role: 'admin' })).status).toBe(404);
	});

	it('allows business_staff to acknowledge it, once', async () => {
		const [{ id }] = announced as [Alert];
		expect((await ack(id, { domainName: 'zoo', role: 'admin' })).status).toBe(404);
		expect((await ack('no-such-alert', STAFF)).status).toBe(404);
		expect((await ack(id, { domainName: 'museum', role: 'standard_customer' })).status).toBe(403);
		expect(await ack(id, STAFF)).toMatchObject({ status: 200, body: { id, state: 'acknowledged' } });
		expect((await ack(id, STAFF)).status).toBe(200);
		await settle();
		expect(events()).toEqual(['occupancy open', 'occupancy acknowledged']);
		await world.tell(count(151), count(10));
		await until(() => expect(events()).toEqual(['occupancy open', 'occupancy acknowledged', 'occupancy resolved']));
		expect((await ack(id, STAFF)).status).toBe(409);
	});

	it('lists the newest first, at most as many as requested', async () => {
		await world.tell(count(10), count(200), count(10), count(300));
		await until(() => expect(announced).toHaveLength(5));
		const token = await world.token(STAFF);
		const answer = await notification.call<{ alerts: Alert[] }>('GET', '/alerts?limit=2', { token });
		expect(answer.body.alerts.map(({ value, state }) => [value, state])).toEqual([
			[300, 'open'],
			[10, 'resolved'],
		]);
		expect((await notification.call('GET', '/alerts?limit=0', { token })).status).toBe(422);
	});
});
