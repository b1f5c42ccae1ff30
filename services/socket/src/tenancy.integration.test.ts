import { randomUUID } from 'node:crypto';
import { type Alert, CHANNELS, type Membership, TABLES, weightIn } from '@crowdvision/contracts';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { begin, building, next, open, useMuseum, world } from './testing/museum.ts';

useMuseum();

const DOMAINS = ['north', 'north/east', 'south', 'south/west', 'southern'];
const BUILDINGS = ['one', 'two', 'three'];

const membership: fc.Arbitrary<Membership> = fc.record({
	domainName: fc.constantFrom(...DOMAINS),
	role: fc.constantFrom('admin', 'business_staff', 'standard_customer'),
});
const step = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.record({ does: fc.constantFrom('reading', 'alert', 'device'), id: fc.constantFrom(...BUILDINGS) }),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			does: fc.constant('move'),
			id: fc.constantFrom(...BUILDINGS),
			to: fc.option(fc.constantFrom(...DOMAINS)),
		}),
	},
);

describe('a dashboard', () => {
	it('never gets anything of a building outside its domains, also just after the owner changed', async () => {
		await begin();
		const { bus } = world.parts;
		const onlooker = await open();
		await onlooker.subscribe('museum-1');
		let received = 0;
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.array(membership, { maxLength: 2 }), { minLength: 4, maxLength: 4 }),
				fc.array(fc.constantFrom(...DOMAINS), { minLength: BUILDINGS.length, maxLength: BUILDINGS.length }),
				fc.array(step, { minLength: 10, maxLength: 40 }),
				async (accounts, owners, steps) => {
					const run = randomUUID().slice(0, 8);
					const idOf = (id: string) => `${run}-${id}`;
					const domains = new Map(BUILDINGS.map((id, index) => [id, owners[index] as string | undefined]));
					const announceOwner = async (id: string) => {
						const domain = domains.get(id);
						await bus.retain(
							TABLES.buildings,
							idOf(id),
							domain === undefined ? null : JSON.stringify(building(idOf(id), domain)),
						);
					};
					for (const id of BUILDINGS) {
						await announceOwner(id);
						const sensor = { sensorId: `${run}-${id}`, buildingId: idOf(id), roomId: 'hall' };
						await bus.retain(TABLES.sensors, sensor.sensorId, JSON.stringify(sensor));
					}
					const dashboards = await Promise.all(
						accounts.map(async (memberships) => open(await world.token(...memberships))),
					);
					await Promise.all(dashboards.flatMap((dashboard) => BUILDINGS.map((id) => dashboard.subscribe(idOf(id)))));
					const may = (account: number, id: string) => {
						const domain = domains.get(id);
						return domain !== undefined && weightIn(accounts[account]!, [domain]) > 0;
					};
					/** The accounts that may get each message, by its mark. */
					const allowed = new Map<string, Set<number>>();
					const send = async (does: string, id: string) => {
						const mark = randomUUID();
						allowed.set(mark, new Set(accounts.map((_, index) => index).filter((index) => may(index, id))));
						const place = { buildingId: idOf(id), roomId: 'hall' };
						if (does === 'reading') await world.tell(readingOf({ ...place, metric: 'co2', value: 1, gatewayId: mark }));
						else if (does === 'device')
							await bus.announce(
								CHANNELS.devices,
								JSON.stringify({ sensorId: `${run}-${id}`, state: 'online', at: 1, gatewayId: mark }),
							);
						else {
							// The owners that notification names may be outdated.
							const alert: Alert = {
								...place,
								id: mark,
								domainNames: DOMAINS,
								kind: 'co2',
								severity: 'info',
								state: 'open',
								observedAt: 1,
								message: '',
							};
							await bus.announce(CHANNELS.notifications, JSON.stringify(alert));
						}
					};
					for (const step of steps) {
						if (step.does === 'move') {
							domains.set(step.id, ('to' in step ? step.to : null) ?? undefined);
							await announceOwner(step.id);
						} else await send(step.does, step.id);
					}
					// Everything has arrived when the last alert has, which concerns every domain.
					const last: Alert = {
						id: randomUUID(),
						buildingId: 'none',
						domainNames: DOMAINS,
						kind: 'manual',
						severity: 'info',
						state: 'open',
						observedAt: 1,
						message: '',
					};
					const { length } = onlooker.readings;
					await world.tell(...next(1));
					await waitFor('what was sent before', () => onlooker.readings.length > length);
					await bus.announce(CHANNELS.notifications, JSON.stringify(last));
					for (const [index, dashboard] of dashboards.entries()) {
						if (accounts[index]!.length > 0)
							await waitFor('the last', () => dashboard.alerts.some(({ id }) => id === last.id));
						const marks = [
							...dashboard.readings.map(({ gatewayId }) => gatewayId),
							...dashboard.devices.map(({ gatewayId }) => gatewayId),
							...dashboard.alerts.map(({ id }) => id).filter((id) => id !== last.id),
						];
						received += marks.length;
						expect(marks.filter((mark) => !allowed.get(mark)?.has(index))).toEqual([]);
						dashboard.close();
					}
				},
			),
			{ numRuns: 10, endOnFailure: true },
		);
		// The accounts are random, but all of them together always may see something.
		expect(received).toBeGreaterThan(10);
	});
});
