import { DEFAULT_POLICY, type Membership, type Policy, type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createNotification } from '../index.ts';

const SCHOOL: RetainedBuilding = {
	...{ id: 'school', name: 'School', domains: ['north'], timeZone: 'Europe/Rome', generation: 'a1' },
	rooms: [{ id: 'gym', name: 'Gym', capacity: 10 }],
};
const STAFF: Membership = { domainName: 'north', role: 'business_staff' };
const PATH = '/buildings/school/policy';

let world: ServiceWorld;
let notification: Served;
const announce = (building: RetainedBuilding) =>
	world.parts.bus.retain(TABLES.buildings, building.id, JSON.stringify(building));
const get = async (...memberships: Membership[]) =>
	notification.call<Policy>('GET', PATH, { token: await world.token(...memberships) });
const put = async (body: object, headers: Record<string, string> = {}) =>
	notification.call<Policy>('PUT', PATH, { token: await world.token(STAFF), body, headers });

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		await announce(SCHOOL);
		notification = await world.serve(createNotification);
	});
	afterEach(() => world.stop());

	describe('A2 the policy of a building', () => {
		it('is the default before it is set, and then what was set, also after a restart', async () => {
			expect(await get(STAFF)).toMatchObject({ status: 200, body: DEFAULT_POLICY });
			const set = { ...DEFAULT_POLICY, groupingSeconds: 30 };
			expect(await put({ groupingSeconds: 30 })).toMatchObject({ status: 200, body: set });
			expect((await get(STAFF)).body).toEqual(set);
			expect((await put(set)).body).toEqual(set);
			await world.restart();
			await announce(SCHOOL);
			notification = await world.serve(createNotification);
			expect((await get(STAFF)).body).toEqual(set);
		});

		it('is told on the bus', async () => {
			const told = new Map<string, string | null>();
			await world.parts.bus.watch(TABLES.policies, (id, value) => void told.set(id, value));
			await put({ groupingSeconds: 30 });
			await vi.waitFor(() =>
				expect(JSON.parse(told.get('school') ?? '{}')).toMatchObject({ policy: { groupingSeconds: 30 } }),
			);
		});

		it('is for staff of the building only', async () => {
			expect((await get({ domainName: 'north', role: 'standard_customer' })).status).toBe(403);
			expect((await get({ domainName: 'south', role: 'admin' })).status).toBe(404);
			expect((await notification.call('GET', PATH)).status).toBe(401);
		});

		it('is refused with the path of each mistake, and where somebody else has changed it', async () => {
			expect(
				await put({ quiet: [{ days: ['mon'], from: '25:00', to: '07:00', belowSeverity: 'critical' }] }),
			).toMatchObject({
				status: 422,
				body: { error: { path: '/quiet/0/from' } },
			});
			const tag = (await get(STAFF)).headers.get('etag')!;
			expect((await put({ groupingSeconds: 5 }, { 'if-match': tag })).status).toBe(200);
			expect(await put({ groupingSeconds: 6 }, { 'if-match': tag })).toMatchObject({
				body: { error: { code: 'changed_meanwhile' } },
			});
		});

		it('ends with its building: one that is made under its id has the default', async () => {
			const told = new Map<string, string | null>();
			await world.parts.bus.watch(TABLES.policies, (id, value) => void told.set(id, value));
			await put({ groupingSeconds: 30 });
			await announce({ ...SCHOOL, generation: 'b2' });
			await vi.waitFor(async () => expect((await get(STAFF)).body).toEqual(DEFAULT_POLICY));
			await vi.waitFor(() => expect(told.get('school') ?? null).toBeNull());
		});
	});
});
