import { ALERT_LIST_LIMIT, type Alert, CHANNELS, type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createNotification } from '../index.ts';

const SCHOOL: RetainedBuilding = {
	id: 'school',
	name: 'School',
	domains: ['north'],
	rooms: [
		{ id: 'gym', name: 'Gym', capacity: 10 },
		{ id: 'door', name: 'Door', capacity: 10 },
	],
};

let world: ServiceWorld;
let notification: Served;
let token: string;
let resolved: number;
let clock: number;

const count = (roomId: string, value: number) => {
	clock += 100;
	return readingOf({ buildingId: 'school', roomId, metric: 'peopleCount', value, observedAt: clock });
};
type Page = { alerts: Alert[]; nextCursor?: string };
const page = async (query: string) => (await notification.call<Page>('GET', `/alerts${query}`, { token })).body;

/** The door is over its limit and below it again, so many times. */
async function newerAlerts(times: number): Promise<void> {
	const before = resolved;
	await world.tell(...Array.from({ length: times }, () => [count('door', 11), count('door', 2)]).flat());
	await vi.waitFor(() => expect(resolved).toBe(before + times), { timeout: 60_000 });
}

async function wholeList(limit: number): Promise<Alert[]> {
	const all: Alert[] = [];
	for (let cursor = ''; ; ) {
		const { alerts, nextCursor } = await page(`?limit=${limit}${cursor}`);
		all.push(...alerts);
		if (nextCursor === undefined) return all;
		cursor = `&cursor=${nextCursor}`;
	}
}

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		clock = Date.now() - 250_000;
		resolved = 0;
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		await world.parts.bus.retain(TABLES.buildings, SCHOOL.id, JSON.stringify(SCHOOL));
		await world.parts.bus.listen(CHANNELS.notifications, (message) => {
			if ((JSON.parse(message) as Alert).state === 'resolved') resolved++;
		});
		notification = await world.serve(createNotification);
		token = await world.token({ domainName: 'north', role: 'business_staff' });
	});
	afterEach(() => world.stop());

	describe('P14 an alert that is open', () => {
		it('is the first of the list after 101 newer ones, and still after 501', async () => {
			await world.tell(count('gym', 25));
			await newerAlerts(101);
			const [first, second] = (await page('')).alerts;
			expect([first, second]).toMatchObject([
				{ roomId: 'gym', state: 'open' },
				{ roomId: 'door', state: 'resolved' },
			]);
			await newerAlerts(400);
			const defaults = await page('');
			expect(defaults.alerts).toHaveLength(ALERT_LIST_LIMIT.default);
			expect(defaults.alerts[0]).toMatchObject({ roomId: 'gym', state: 'open' });
			expect((await page('?limit=1')).alerts).toMatchObject([{ roomId: 'gym' }]);
		}, 120_000);

		it('is followed by all others, each once and the newest first, whatever the size of a page', async () => {
			await world.tell(count('gym', 25));
			await newerAlerts(101);
			const whole = await wholeList(ALERT_LIST_LIMIT.maximum);
			expect(whole).toHaveLength(102);
			expect(await wholeList(7)).toEqual(whole);
			const times = whole.slice(1).map(({ observedAt }) => observedAt);
			expect(times).toEqual([...times].sort((a, b) => b - a));
			expect(new Set(whole.map(({ id }) => id)).size).toBe(102);
		}, 120_000);
	});
});
