import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Baseline, type Counted, type CounterLimits, countTotal, type Total } from './cumulative-counter.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const LIMITS: CounterLimits = { wrapAt: undefined, perMinute: 200 };

/** A message: a total, and what else it says. Ten minutes after the one before, unless it says when. */
type Message = number | ({ total: number; minute?: number } & Partial<Omit<Total, 'at' | 'total'>>);

/** What is counted for each of these messages. */
function counted(messages: readonly Message[], limits: Partial<CounterLimits> = {}): Counted[] {
	let baseline: Baseline | undefined;
	let at = 0;
	return messages.map((message) => {
		const { minute, ...said } = typeof message === 'number' ? { total: message } : message;
		at = minute === undefined ? at + 10 * MINUTE : minute * MINUTE;
		const result = countTotal(baseline, { boot: undefined, ...said, at }, { ...LIMITS, ...limits });
		baseline = result.baseline;
		return result;
	});
}
const counts = (messages: readonly Message[], limits?: Partial<CounterLimits>) =>
	counted(messages, limits).map(({ count }) => count);
const lastOf = (messages: readonly Message[], limits?: Partial<CounterLimits>) => counted(messages, limits).at(-1);
const timed = (total: number, minute: number): Message => ({ total, minute, isTimed: true });
const numbered = (total: number, seq: number, boot?: string): Message => ({ total, seq, boot });
const BUSY = [960, 970, 980, 990, 1000];

describe('P13 right in meaning: nobody is invented by a total that went down', () => {
	it.each<[string, Message[], number[], Partial<CounterLimits>?]>([
		['a correction, or two messages that changed places', [990, 1000, 998, 1003], [0, 10, 0, 3]],
		['a larger correction', [990, 1000, 940, 1003], [0, 10, 0, 3]],
		['the first two messages changed places', [5, 2, 8], [0, 0, 3]],
		['messages that changed places over three', [1000, 1006, 1002, 1004, 1009], [0, 6, 0, 0, 3]],
		[
			'a correction that lasts is counted on from its third message',
			[990, 1000, 900, 903, 905, 912],
			[0, 10, 0, 0, 0, 7],
		],
		['a correction below a tenth of what usually crosses', [990, 1000, 600, 601, 602, 604], [0, 10, 0, 0, 0, 2]],
		[
			'a correction in the order of seq',
			[numbered(990, 1), numbered(1000, 2), numbered(998, 3), numbered(1003, 4)],
			[0, 10, 0, 5],
		],
		[
			'messages that changed places, by seq',
			[numbered(990, 1), numbered(1000, 3), numbered(998, 2), numbered(1003, 4)],
			[0, 10, 0, 3],
		],
		[
			'a correction in the order of its own times',
			[timed(990, 0), timed(1000, 10), timed(998, 20), timed(1003, 30)],
			[0, 10, 0, 5],
		],
		[
			'messages that changed places, by their own times',
			[timed(990, 0), timed(1000, 20), timed(998, 10), timed(1003, 30)],
			[0, 10, 0, 3],
		],
		[
			'a restart, by boot',
			[numbered(990, 1, 'a'), numbered(1000, 2, 'a'), numbered(4, 0, 'b'), numbered(9, 1, 'b')],
			[0, 10, 4, 5],
		],
		[
			'a restart at a total that looks like a correction, by boot',
			[numbered(20, 1, 'a'), numbered(12, 0, 'b')],
			[0, 12],
		],
		['a restart near 0', [...BUSY, 4, 9], [0, 10, 10, 10, 10, 4, 5]],
		['a restart at 0', [...BUSY, 0, 7], [0, 10, 10, 10, 10, 0, 7]],
		['no restart, by uptime', [990, 1000, { total: 4, startedAt: -DAY }, 1003], [0, 10, 0, 3]],
		['a restart, by uptime', [990, { total: 400, startedAt: 11.5 * MINUTE }, 405], [0, 400, 5]],
		['a wrap where it is configured', [250, 3], [0, 9], { wrapAt: 256 }],
		['no wrap by a small step down', [240, 250, 248, 253], [0, 10, 0, 3], { wrapAt: 256 }],
		['a wrap of 16 bits', [65_530, 5], [0, 11]],
		['no wrap far from the bound', [40_000, 40_010, 5, 8], [0, 10, 5, 3]],
		['a slip upwards', [990, 1000, 60_000, 1003], [0, 10, 0, 3]],
		['a leap that stays', [990, 1000, 60_000, 60_003], [0, 10, 0, 3]],
		['a retained message of long ago', [...BUSY, 300, 1004], [0, 10, 10, 10, 10, 0, 4]],
		['the same total again and again', [990, 1000, 1000, 1000, 1001], [0, 10, 0, 0, 1]],
		[
			'a backlog of old totals that comes at once',
			[...BUSY, ...[900, 905, 910, 915, 920].map((total) => ({ total, minute: 51 })), 1004],
			[0, 10, 10, 10, 10, 0, 0, 0, 0, 0, 4],
		],
	])('%s', (_text, messages, expected, limits) => {
		expect(counts(messages, limits)).toEqual(expected);
	});

	it.each<[string, Message[], { detected?: string; more?: number; fewer?: number }]>([
		['the third of 990, 1000, 998: it is not clear yet', [990, 1000, 998], { detected: 'unsure' }],
		['the fourth, 1003: three people, or five', [990, 1000, 998, 1003], { more: 2 }],
		['one that fell far, and came back: what cannot have crossed is not counted in', [990, 1000, 600, 1003], {}],
		[
			'a correction that lasts: those who crossed meanwhile',
			[990, 1000, 900, 903, 905],
			{ detected: 'corrected', more: 5 },
		],
		['a correction in order', [numbered(1000, 1), numbered(998, 2)], { detected: 'corrected' }],
		['a late message', [numbered(1000, 2), numbered(998, 1)], { detected: 'late' }],
		['a restart near 0: nobody has proven it', [...BUSY, 4], { detected: 'reset', more: 10, fewer: 4 }],
		[
			'a proven restart: nobody knows who crossed before it',
			[...BUSY, { total: 4, startedAt: 55 * MINUTE }],
			{ detected: 'reset', more: 10 },
		],
		['a wrap that may have been a restart', [250, 9], { detected: 'wrap', fewer: 6 }],
	])('and %s', (_text, messages, expected) => {
		const { count: _count, baseline: _baseline, ...rest } = lastOf(messages)!;
		expect(rest).toEqual(expected);
	});

	it('and a counter that starts again every night is known by its hour, also at totals that prove nothing', () => {
		const nights = [0, 1, 2, 3].flatMap((night) =>
			[480, 1439, 1450, 1460].map((minute, n) => ({
				total: [20, 40, night === 0 ? 0 : 12, 15][n]!,
				minute: night * 1440 + minute,
			})),
		);
		const results = counted(nights).map(({ count, detected }) => `${count} ${detected}`);
		expect(results.filter((one) => one.endsWith('reset'))).toEqual([
			'0 reset',
			'12 nightly-reset',
			'12 nightly-reset',
			'12 nightly-reset',
		]);
	});
});

/** Truth: people who crossed since the first message. */
const steps = fc.array(fc.nat(9), { minLength: 3, maxLength: 40 });
const START = 1000;
function totalsOf(crossed: readonly number[]): number[] {
	let total = START;
	return [total, ...crossed.map((people) => (total += people))];
}
function sumUp(results: readonly Counted[]): { count: number; low: number; high: number } {
	const sum = (of: (one: Counted) => number | undefined) => results.reduce((all, one) => all + (of(one) ?? 0), 0);
	const count = sum((one) => one.count);
	return { count, low: count - sum((one) => one.fewer), high: count + sum((one) => one.more) };
}

describe('P13 right in meaning: the people who crossed a door, whatever its counter does,', () => {
	it('are all of them and nobody else when messages change places and are sent again', () => {
		fc.assert(
			fc.property(steps, fc.array(fc.nat(20)), fc.array(fc.nat(40)), (crossed, swaps, repeats) => {
				const totals = totalsOf(crossed);
				const sent = [...totals];
				// Each message changes places once at most; the first and the last stay where they are.
				for (const at of new Set(swaps.map((n) => 2 * n + 1))) {
					if (at + 2 < sent.length) [sent[at], sent[at + 1]] = [sent[at + 1]!, sent[at]!];
				}
				for (const at of repeats) if (at < sent.length - 1) sent.splice(at + 1, 0, sent[at]!);
				const { count, low, high } = sumUp(counted(sent));
				const truth = totals.at(-1)! - START;
				expect(count).toBeLessThanOrEqual(truth);
				expect(low).toBeLessThanOrEqual(truth);
				expect(high).toBeGreaterThanOrEqual(truth);
			}),
		);
	});

	it('are exactly counted when each message has a seq, however messages change places', () => {
		fc.assert(
			fc.property(steps, fc.array(fc.nat(40)), (crossed, swaps) => {
				const totals = totalsOf(crossed);
				const sent = totals.map((total, seq) => numbered(total, seq, 'a'));
				for (const at of swaps) {
					if (at < 1 || at + 2 >= sent.length) continue;
					[sent[at], sent[at + 1]] = [sent[at + 1]!, sent[at]!];
				}
				expect(sumUp(counted(sent)).count).toBe(totals.at(-1)! - START);
			}),
		);
	});

	it('are never more than crossed, and within the interval, when the counter is set back now and then', () => {
		fc.assert(
			fc.property(steps, fc.integer({ min: 1, max: 400 }), fc.nat(38), fc.boolean(), (crossed, back, at, proven) => {
				let total = START;
				const sent: Message[] = [proven ? numbered(total, 0, 'a') : total];
				for (const [n, people] of crossed.entries()) {
					total += people;
					if (n === at) total -= back;
					sent.push(proven ? numbered(total, n + 1, 'a') : total);
				}
				const truth = crossed.reduce((all, people) => all + people, 0);
				expect(sumUp(counted(sent)).count).toBeLessThanOrEqual(truth);
			}),
		);
	});

	it('are all counted across restarts that the device reports', () => {
		fc.assert(
			fc.property(steps, fc.array(fc.nat(38)), (crossed, restarts) => {
				let total = START;
				let boot = 0;
				const sent: Message[] = [{ total, boot: '0' }];
				for (const [n, people] of crossed.entries()) {
					// Between two messages: nobody crosses before it, and all after it.
					if (restarts.includes(n)) {
						total = 0;
						boot++;
					}
					total += people;
					sent.push({ total, boot: String(boot) });
				}
				const { count, high } = sumUp(counted(sent));
				const truth = crossed.reduce((all, people) => all + people, 0);
				expect(count).toBe(truth);
				expect(high).toBeGreaterThanOrEqual(truth);
			}),
		);
	});

	it('are the same when the gateway restarts in between: what is known of a counter is plain', () => {
		const message = fc.record({
			total: fc.oneof(fc.nat(1200), fc.nat(70_000)),
			minute: fc.nat(3000),
			boot: fc.constantFrom(undefined, 'a', 'b'),
			seq: fc.option(fc.nat(50), { nil: undefined }),
			isTimed: fc.boolean(),
			startedAt: fc.option(fc.integer({ min: -DAY, max: 2 * DAY }), { nil: undefined }),
		});
		fc.assert(
			fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
				let plain: Baseline | undefined;
				let kept: Baseline | undefined;
				for (const { minute, ...said } of messages) {
					const told = { ...said, at: minute * MINUTE };
					const one = countTotal(plain, told, LIMITS);
					const other = countTotal(kept, told, LIMITS);
					expect({ ...other, baseline: undefined }).toEqual({ ...one, baseline: undefined });
					expect(one.count).toBeGreaterThanOrEqual(0);
					plain = one.baseline;
					kept = JSON.parse(JSON.stringify(other.baseline)) as Baseline;
				}
			}),
		);
	});
});
