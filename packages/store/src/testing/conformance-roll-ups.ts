/** The part of the store conformance suite about roll-ups. */
import { describe, expect, it } from 'vitest';
import { ROLL_UP_MS, type RollUp, type StalePeriod } from '../store.ts';
import { BASE, HOLD_MS, insert, OF_HALL, placed, samplesOf } from './conformance-placed.ts';
import { DAY_MS, reopen, type World } from './conformance-world.ts';

const EVER = { from: 0, to: BASE * 2 };

const rollUp = (start: number, last: number, sensorId?: string): RollUp => ({
	start,
	...(sensorId !== undefined && { sensorId }),
	knownMs: 600_000,
	weighted: 600_000.5 * last,
	count: 3,
	min: last - 1,
	max: last + 1.25,
	last,
	lastAt: start + 1234,
});

/** Guarantees of roll-ups and of stale periods. */
export function describeRollUps(world: World): void {
	const stale = () => world.store.readings.stalePeriods(OF_HALL, EVER);
	const next = (limit = 100) => world.store.readings.nextStale(BASE * 2, limit);
	const at = (n: number, ms: number) => insert(world, [placed(n, { observedAt: BASE + ms })]);

	describe('roll-ups', () => {
		it('become stale in the periods of a sample and in those that its value reaches into', async () => {
			await at(1, 60_000);
			expect(await stale()).toEqual([BASE]);
			await at(2, 2 * ROLL_UP_MS - HOLD_MS / 2);
			expect(await stale()).toEqual([BASE, BASE + ROLL_UP_MS, BASE + 2 * ROLL_UP_MS]);
			await at(3, -1);
			expect(await stale()).toEqual([BASE - ROLL_UP_MS, BASE, BASE + ROLL_UP_MS, BASE + 2 * ROLL_UP_MS]);
			expect(await world.store.readings.stalePeriods(OF_HALL, { from: BASE, to: BASE + ROLL_UP_MS })).toEqual([BASE]);
			expect(await world.store.readings.stalePeriods({ ...OF_HALL, roomId: 'cellar' }, EVER)).toEqual([]);
			await reopen(world);
			expect(await stale()).toHaveLength(4);
		});

		it('are due when their period is over, the longest stale first', async () => {
			await at(1, 3 * ROLL_UP_MS);
			await at(2, 0);
			await at(3, 3 * ROLL_UP_MS + 1000);
			const starts = async (before: number, limit = 9) =>
				(await world.store.readings.nextStale(before, limit)).map(({ start }) => start);
			expect(await starts(BASE + 9 * ROLL_UP_MS)).toEqual([BASE + 3 * ROLL_UP_MS, BASE]);
			expect(await starts(BASE + 9 * ROLL_UP_MS, 1)).toEqual([BASE + 3 * ROLL_UP_MS]);
			expect(await starts(BASE + ROLL_UP_MS)).toEqual([BASE]);
			expect(await starts(BASE + ROLL_UP_MS - 1)).toEqual([]);
			expect(await next(1)).toEqual([{ ...OF_HALL, start: BASE + 3 * ROLL_UP_MS, token: expect.any(String) }]);
		});

		it('replace those of their period, and are read back as they were written', async () => {
			await insert(world, [placed(1), placed(2, { sensorId: 't-2' })]);
			const replace = async (...rollUps: RollUp[]) => world.store.readings.replaceRollUps((await next(1))[0]!, rollUps);
			await replace(rollUp(BASE, 20), rollUp(BASE, 21, 't-1'), rollUp(BASE, 22, 't-2'));
			expect(await stale()).toEqual([]);
			expect(await next()).toEqual([]);
			const { readings } = world.store;
			expect(await readings.rollUps(OF_HALL, EVER)).toEqual([rollUp(BASE, 20)]);
			expect(await readings.rollUps({ ...OF_HALL, sensorId: 't-1' }, EVER)).toEqual([rollUp(BASE, 21, 't-1')]);
			expect(await readings.rollUps(OF_HALL, { from: BASE + 1, to: BASE * 2 })).toEqual([]);
			expect(await readings.rollUps(OF_HALL, { from: BASE, to: BASE })).toEqual([]);
			await at(3, 5000);
			const clipped = { ...rollUp(BASE, 30), clipped: true as const };
			await replace(clipped, rollUp(BASE, 31, 't-1'));
			await reopen(world);
			expect(await world.store.readings.rollUps(OF_HALL, EVER)).toEqual([clipped]);
			expect(await world.store.readings.rollUps({ ...OF_HALL, sensorId: 't-2' }, EVER)).toEqual([]);
		});

		it('stay stale when a sample arrived meanwhile, and are not overwritten by a late writer', async () => {
			await at(1, 1000);
			const before = (await next(1))[0]!;
			await at(2, 2000);
			const after = (await next(1))[0]!;
			expect(after.token).not.toBe(before.token);
			await world.store.readings.replaceRollUps(before, [rollUp(BASE, 1)]);
			expect(await stale()).toEqual([BASE]);
			await world.store.readings.replaceRollUps(after, [rollUp(BASE, 2)]);
			expect(await stale()).toEqual([]);
			await world.store.readings.replaceRollUps(before, [rollUp(BASE, 1)]);
			await world.store.readings.replaceRollUps(after, [rollUp(BASE, 3)]);
			expect(await world.store.readings.rollUps(OF_HALL, EVER)).toEqual([rollUp(BASE, 2)]);
		});

		it('do not become stale when a stored reading arrives again', async () => {
			await at(1, 1000);
			const period = (await next(1))[0]!;
			await at(1, 1000);
			expect((await next(1))[0]).toEqual(period);
			await world.store.readings.replaceRollUps(period, [rollUp(BASE, 1)]);
			await at(1, 1000);
			expect(await stale()).toEqual([]);
		});

		it('hold how long a sum was incomplete', async () => {
			await at(1, 1000);
			const incomplete = { ...rollUp(BASE, 20), incompleteMs: 1234.5 };
			await world.store.readings.replaceRollUps((await next(1))[0]!, [incomplete, rollUp(BASE, 21, 't-1')]);
			await reopen(world);
			const { readings } = world.store;
			expect(await readings.rollUps(OF_HALL, EVER)).toEqual([incomplete]);
			expect(await readings.rollUps({ ...OF_HALL, sensorId: 't-1' }, EVER)).toEqual([rollUp(BASE, 21, 't-1')]);
		});

		it('all become stale when they are to follow another rule, where their samples are still held', async () => {
			const now = BASE + 500 * DAY_MS;
			for (const [n, days] of [100, 2, 1].entries())
				await insert(world, [placed(n + 1, { observedAt: now - days * DAY_MS })]);
			await insert(world, [placed(4, { observedAt: now - DAY_MS, roomId: 'cellar' })]);
			for (const period of await next()) await world.store.readings.replaceRollUps(period, [rollUp(period.start, 1)]);
			await world.store.readings.forget(now);
			const { readings } = world.store;
			await readings.makeStale({ ...OF_HALL, roomId: 'nowhere' });
			expect(await next()).toEqual([]);
			await readings.makeStale(OF_HALL);
			const starts = (await next()).map(({ roomId, start }) => [roomId, start]);
			expect(starts.toSorted()).toEqual([
				['hall', now - 2 * DAY_MS],
				['hall', now - DAY_MS],
			]);
			// A roll-up that was computed before by the old rule comes too late.
			const before = (await next(1))[0]!;
			await readings.makeStale(OF_HALL);
			await readings.replaceRollUps(before, [rollUp(before.start, 2)]);
			expect(await stale()).toHaveLength(2);
		});

		it('never miss a sample in a race between inserting and rolling up', async () => {
			const counted = new Map<number, number>();
			const roll = async (period: StalePeriod) => {
				const range = { from: period.start, to: period.start + ROLL_UP_MS };
				const { length } = await world.store.readings.samples(OF_HALL, range, 1000);
				await world.store.readings.replaceRollUps(period, [{ ...rollUp(period.start, 1), count: length }]);
			};
			const inserting = (async () => {
				for (let n = 1; n <= 40; n++) await at(n, (n % 4) * ROLL_UP_MS + n);
			})();
			let over = false;
			void inserting.then(() => {
				over = true;
			});
			while (!over) await Promise.all((await next()).map(roll));
			await inserting;
			for (const period of await next()) await roll(period);
			for (const { start, count } of await world.store.readings.rollUps(OF_HALL, EVER)) counted.set(start, count);
			expect([...counted.values()]).toEqual([10, 10, 10, 10]);
			expect(await stale()).toEqual([]);
		});

		it('outlive their samples, up to their own retention', async () => {
			const now = BASE + 500 * DAY_MS;
			const ages = [450, 100, 1];
			for (const [n, days] of ages.entries()) await insert(world, [placed(n + 1, { observedAt: now - days * DAY_MS })]);
			for (const period of await next()) await world.store.readings.replaceRollUps(period, [rollUp(period.start, 1)]);
			await at(9, 0);
			await world.store.readings.forget(now);
			expect((await samplesOf(world)).map(({ observedAt }) => observedAt)).toEqual([now - DAY_MS]);
			expect(await world.store.readings.rollUps(OF_HALL, EVER)).toHaveLength(2);
			expect(await stale()).toEqual([]);
			expect((await world.store.readings.latest('telemetry', 'museum')).latest).toMatchObject([
				{ observedAt: now - DAY_MS },
			]);
			expect(await world.store.readings.progress('telemetry')).toBe('9');
			// An incomplete set of samples would spoil the roll-up that was made of all of them.
			await insert(world, [placed(10, { observedAt: now - 100 * DAY_MS + 1 })]);
			expect(await stale()).toEqual([]);
			expect(await samplesOf(world)).toHaveLength(1);
		});
	});
}
