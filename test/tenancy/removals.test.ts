import { faultParameter, seedOf } from '@crowdvision/testing/fault-parameters';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPOSITIONS, type Site } from './site.ts';
import { BUILDING_IDS, SENSOR_IDS, type Step, TENANTS, Tenants, TRANSPORTS } from './world-of-tenants.ts';

/**
 * 25 histories in the embedded composition; by hand as many in each of the two:
 * `TENANCY_HISTORIES=500 npx vitest run test/tenancy/removals`.
 */
const HISTORIES = faultParameter('TENANCY_HISTORIES', 25);
const SITES = process.env.TENANCY_HISTORIES === undefined ? COMPOSITIONS.slice(0, 1) : COMPOSITIONS;

const building = fc.constantFrom(...BUILDING_IDS);
const sensor = fc.constantFrom(...SENSOR_IDS);
const by = fc.constantFrom(...TENANTS);
const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 3, arbitrary: fc.record({ do: fc.constant('make' as const), building, by }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), building }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant('toggle room' as const), building }) },
	{
		weight: 2,
		arbitrary: fc.record({ do: fc.constantFrom('register' as const, 'unregister' as const), building, sensor }),
	},
	{
		weight: 7,
		arbitrary: fc.record({
			do: fc.constant('send' as const),
			building,
			room: fc.constantFrom('board', 'side'),
			sensor,
			by,
			over: fc.constantFrom(...TRANSPORTS),
		}),
	},
	{ weight: 1, arbitrary: fc.record({ do: fc.constant('ask' as const), by }) },
);

describe.each(SITES)('P14 tenants that remove and remake what others had (%s)', (_, open) => {
	let site: Site;
	beforeAll(async () => {
		site = await open();
	}, 180_000);
	afterAll(() => site?.stop());

	it('are shown nothing but their own, in any service, on any transport', { timeout: 7_200_000 }, async () => {
		const tenants = new Tenants(site);
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
