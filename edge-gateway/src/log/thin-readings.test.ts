import type { MetricKey } from '@crowdvision/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thin } from './thin-readings.ts';

interface Sent {
	id: string;
	sensorId: string;
	metric: MetricKey;
	value: number;
	buildingId: string;
	roomId: string;
	observedAt: number;
	crossings?: { in: number; out: number };
}

const BEGIN = Date.UTC(2026, 10, 28);
const sent = fc
	.array(
		fc.record({
			sensorId: fc.constantFrom('a', 'b'),
			door: fc.boolean(),
			value: fc.nat(9),
			roomId: fc.constantFrom('hall', 'r'),
			observedAt: fc.integer({ min: BEGIN, max: BEGIN + 200_000 }),
			crossings: fc.record({ in: fc.nat(5), out: fc.nat(5) }),
		}),
		{ minLength: 1, maxLength: 60 },
	)
	.map((all) =>
		all.map(
			({ door, crossings, ...rest }, index): Sent => ({
				id: `log-${index}`,
				metric: door ? 'peopleCount' : 'co2',
				buildingId: 'b1',
				...rest,
				...(door && { crossings }),
			}),
		),
	);

/** The readings that stay, as they are then. */
function thinned(all: readonly object[]): Sent[] {
	const payloads = all.map((one) => Buffer.from(JSON.stringify(one)));
	return thin(payloads).flatMap((verdict, index) => {
		if (verdict === 'drop') return [];
		return [JSON.parse(verdict === 'keep' ? payloads[index]!.toString() : verdict.payload) as Sent];
	});
}

const minuteOf = ({ sensorId, metric, roomId, observedAt }: Sent) =>
	`${sensorId} ${metric} ${roomId} ${Math.floor(observedAt / 60_000)}`;
const doorOf = ({ sensorId, roomId }: Sent) => `${sensorId} ${roomId}`;

function groups(all: readonly Sent[], by: (one: Sent) => string): Map<string, Sent[]> {
	const found = new Map<string, Sent[]>();
	for (const one of all) found.set(by(one), [...(found.get(by(one)) ?? []), one]);
	return found;
}

describe('thinning', () => {
	it('keeps the last, lowest and highest reading of each sensor and minute, at most one more, and invents none', () => {
		fc.assert(
			fc.property(sent, (all) => {
				const left = thinned(all);
				const ids = new Map(all.map((one) => [one.id, one]));
				for (const { crossings: _sum, ...one } of left) expect(ids.get(one.id)).toMatchObject(one);
				const after = groups(left, minuteOf);
				for (const [minute, before] of groups(all, minuteOf)) {
					const stay = after.get(minute)!;
					const values = (some: Sent[]) => some.map(({ value }) => value);
					expect(Math.min(...values(stay))).toBe(Math.min(...values(before)));
					expect(Math.max(...values(stay))).toBe(Math.max(...values(before)));
					const latest = Math.max(...before.map(({ observedAt }) => observedAt));
					expect(stay.map(({ id }) => id)).toContain(before.findLast(({ observedAt }) => observedAt === latest)!.id);
					expect(stay.length).toBeLessThanOrEqual(4);
				}
				expect(left.at(-1)!.id).toBe(all.at(-1)!.id);
			}),
		);
	});

	it('keeps the crossings of every door: in and out, in total and up to each reading that stays', () => {
		fc.assert(
			fc.property(sent, (all) => {
				const sum = (some: readonly Sent[]) =>
					some.reduce(
						(total, { crossings }) => ({ in: total.in + (crossings?.in ?? 0), out: total.out + (crossings?.out ?? 0) }),
						{ in: 0, out: 0 },
					);
				const after = groups(
					thinned(all).filter(({ crossings }) => crossings),
					doorOf,
				);
				for (const [door, before] of groups(
					all.filter(({ crossings }) => crossings),
					doorOf,
				)) {
					const stay = after.get(door)!;
					expect(sum(stay)).toEqual(sum(before));
					for (const [at, { id }] of stay.slice(0, -1).entries()) {
						expect(sum(stay.slice(0, at + 1))).toEqual(
							sum(before.slice(0, before.findIndex((one) => one.id === id) + 1)),
						);
					}
				}
			}),
		);
	});

	it('leaves records that are no readings alone', () => {
		const strange = [{ no: 'reading' }, 'text', 1, null, { sensorId: 'a', metric: 'co2', value: 'x' }];
		expect(thin(strange.map((one) => Buffer.from(JSON.stringify(one))))).toEqual(strange.map(() => 'keep'));
		expect(thin([Buffer.from('{no JSON'), Buffer.from([0xff])])).toEqual(['keep', 'keep']);
		expect(thin([])).toEqual([]);
	});
});
