import { faultParameter, seedOf } from '@crowdvision/testing/fault-parameters';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPOSITIONS, type Site } from './site.ts';
import { TRANSPORTS } from './ways-in.ts';
import { BUILDING_IDS, ROOM_IDS, SENSOR_IDS, TENANTS } from './whose.ts';
import { type Step, Tenants } from './world-of-tenants.ts';

/**
 * 25 histories in the embedded composition; by hand as many in each of the two:
 * `TENANCY_HISTORIES=500 npx vitest run test/tenancy/removals`.
 */
const HISTORIES = faultParameter('TENANCY_HISTORIES', 25);
const SITES = process.env.TENANCY_HISTORIES === undefined ? COMPOSITIONS.slice(0, 1) : COMPOSITIONS;

const building = fc.constantFrom(...BUILDING_IDS);
const sensor = fc.constantFrom(...SENSOR_IDS);
const room = fc.constantFrom(...ROOM_IDS);
const by = fc.constantFrom(...TENANTS);
const over = fc.constantFrom(...TRANSPORTS);
const to = <T extends Step['do']>(what: T) => fc.constant(what);

const sending = { do: to('send'), room, sensor, by, over };
const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 7, arbitrary: fc.record({ do: to('make'), building, by }) },
	{ weight: 5, arbitrary: fc.record({ do: to('remove'), building }) },
	{ weight: 5, arbitrary: fc.record({ do: to('toggle room'), building }) },
	{ weight: 5, arbitrary: fc.record({ do: to('register'), building, sensor }) },
	{ weight: 3, arbitrary: fc.record({ do: to('unregister'), building, sensor }) },
	{ weight: 3, arbitrary: fc.record({ do: to('issue token'), building }) },
	{ weight: 3, arbitrary: fc.record({ do: to('use old token'), over }) },
	{ weight: 1, arbitrary: fc.record({ do: to('revoke token') }) },
	{ weight: 1, arbitrary: fc.record({ do: fc.constantFrom('remake domain' as const, 'remake account'), by }) },
	{ weight: 14, arbitrary: fc.record({ ...sending, building }) },
	{ weight: 5, arbitrary: fc.record({ ...sending, building: fc.constant(undefined) }) },
	{ weight: 2, arbitrary: fc.record({ do: to('ask'), by }) },
);

describe.each(SITES)('P14 tenants that remove and remake what others had (%s)', (_, open) => {
	let site: Site;
	beforeAll(async () => {
		site = await open();
	}, 180_000);
	afterAll(() => site?.stop());

	it('are shown nothing but their own, in any service, on any transport', { timeout: 7_200_000 }, async () => {
		const tenants = await Tenants.open(site);
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 16 }), async (steps) => {
				try {
					for (const one of steps) await tenants.do(one);
					expect(await tenants.leaks()).toEqual([]);
				} finally {
					await tenants.removeAll();
				}
			}),
			{ numRuns: HISTORIES, seed: seedOf(14), endOnFailure: true },
		);
	});
});
