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

describe('tenants', () => {
	it('never receive a reading, an alert or a device event of a building outside of their domains, also just after it changed hands', async () => {
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
					const tellOwner = async (id: string) => {
						const domain = domains.get(id);
						await bus.retain(
							TABLES.buildings,
							idOf(id),
							domain === undefined ? null : JSON.stringify(building(idOf(id), domain)),
						);
					};
					for (const id of BUILDINGS) {
						await tellOwner(id);
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
					/** By what was sent: who might have it. */
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
							// What notification knows of the owner may be a moment old.
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
					for (const one of steps) {
						if (one.does === 'move') {
							domains.set(one.id, ('to' in one ? one.to : null) ?? undefined);
							await tellOwner(one.id);
						} else await send(one.does, one.id);
					}
					// Everything is through when what was sent last is: to everybody, about a building of everybody's.
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
		// By chance few of them may see much, but never nobody anything.
		expect(received).toBeGreaterThan(10);
	});
});
