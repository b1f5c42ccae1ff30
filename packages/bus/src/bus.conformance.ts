import { CrowdVisionError, type StreamName } from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor, within } from '../../../test/support/wait.ts';
import { type Bus, type BusEntry, type ConsumeOptions, type Position, START, type TailGap } from './bus.ts';
import type { BusHarness } from './testing/harness.ts';

const STREAM: StreamName = 'commands';
const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `entry ${from + index}`);
const dataOf = (entries: readonly BusEntry[]) => entries.map(({ data }) => data);
const unavailable = expect.objectContaining({ code: 'unavailable' });

/** Collects what a handler is given. */
function inbox() {
	const entries: BusEntry[] = [];
	return {
		entries,
		take: async (given: BusEntry[]) => void entries.push(...given),
		/** Resolves when as many have come; fails when there are more. */
		async holds(count: number): Promise<string[]> {
			await waitFor(`${count} entries, ${entries.length} so far`, () => entries.length >= count);
			expect(entries).toHaveLength(count);
			return dataOf(entries);
		},
	};
}

/** What every bus guarantees, whatever it is made of. Call it at the top level of a test file of the adapter. */
export function describeBus(name: string, makeHarness: () => Promise<BusHarness>): void {
	describe(`the bus on ${name}`, () => {
		let harness: BusHarness;
		let bus: Bus;
		const member = (options: Partial<ConsumeOptions> = {}): ConsumeOptions => ({ member: 'a', claimAfterMs: 1000, ...options });

		beforeEach(async () => {
			harness = await makeHarness();
			bus = await harness.open();
		});
		afterEach(() => harness.stop());

		/** A last entry: when it has come, everything before it has. */
		const appendLast = () => bus.append(STREAM, ['last']);

		describe('append and consume', () => {
			it('gives every group every entry once, in the order of the positions', async () => {
				const [twin, notification] = [inbox(), inbox()];
				const before = await bus.append(STREAM, numbered(100));
				await bus.consume(STREAM, 'twin', member({ batch: 7 }), twin.take);
				await bus.consume(STREAM, 'notification', member(), notification.take);
				const after = (await Promise.all([...numbered(100, 100)].map((entry) => bus.append(STREAM, [entry])))).flat();
				expect(await twin.holds(200)).toEqual(numbered(200));
				expect(await notification.holds(200)).toEqual(numbered(200));
				expect(twin.entries.map(({ position }) => position)).toEqual([...before, ...after]);
				for (const [index, position] of [...before, ...after].entries()) {
					expect(bus.compare(index === 0 ? START : twin.entries[index - 1]!.position, position)).toBeLessThan(0);
					expect(bus.compare(position, position)).toBe(0);
				}
			});

			it('keeps streams apart, and takes an empty append for what it is', async () => {
				const commands = inbox();
				await bus.consume('commands', 'gateway', member(), commands.take);
				expect(await bus.append('commands', [])).toEqual([]);
				await bus.append('command-results', ['a result']);
				await bus.append('commands', ['a command']);
				expect(await commands.holds(1)).toEqual(['a command']);
			});

			it('begins a new group at the oldest entry held', async () => {
				await bus.append(STREAM, numbered(3));
				const [early, late] = [inbox(), inbox()];
				await bus.consume(STREAM, 'early', member(), early.take);
				await early.holds(3);
				await bus.consume(STREAM, 'late', member(), late.take);
				expect(await late.holds(3)).toEqual(numbered(3));
			});

			it('goes on where a group was when its only member comes back', async () => {
				const [first, second] = [inbox(), inbox()];
				const subscription = await bus.consume(STREAM, 'twin', member(), first.take);
				await bus.append(STREAM, numbered(5));
				await first.holds(5);
				await subscription.close();
				await bus.append(STREAM, ['while nobody listened']);
				await bus.consume(STREAM, 'twin', member({ member: 'b' }), second.take);
				expect(await second.holds(1)).toEqual(['while nobody listened']);
			});

			it('gives each entry to one of two members, and both have a share', async () => {
				const other = await harness.open();
				const [one, two] = [inbox(), inbox()];
				// The first waits with its first batch until the second has something: neither can take everything.
				const secondHasSome = Promise.withResolvers<void>();
				await bus.consume(STREAM, 'twin', member({ batch: 5, claimAfterMs: 20_000 }), async (entries) => {
					await secondHasSome.promise;
					await one.take(entries);
				});
				await other.consume(STREAM, 'twin', member({ member: 'b', batch: 5, claimAfterMs: 20_000 }), async (entries) => {
					await two.take(entries);
					if (one.entries.length === 0) secondHasSome.resolve();
				});
				for (const entry of numbered(100)) await bus.append(STREAM, [entry]);
				await waitFor('all entries', () => one.entries.length + two.entries.length >= 100);
				expect(dataOf([...one.entries, ...two.entries]).sort()).toEqual(numbered(100).sort());
				expect(one.entries.length).toBeGreaterThan(0);
				expect(two.entries.length).toBeGreaterThan(0);
			});
		});

		describe('at least once', () => {
			it('gives another member what a consumer held that was killed before it acknowledged', async () => {
				await bus.append(STREAM, numbered(5));
				expect(await harness.killHolding(STREAM, 'twin', 'doomed')).toEqual(numbered(5));
				bus = await harness.open();
				const heir = inbox();
				await bus.consume(STREAM, 'twin', member({ member: 'heir', claimAfterMs: 300 }), heir.take);
				expect(await heir.holds(5)).toEqual(numbered(5));
			});

			it('gives a member what it held when it was killed as soon as it is back', async () => {
				await bus.append(STREAM, numbered(5));
				await harness.killHolding(STREAM, 'twin', 'phoenix');
				bus = await harness.open();
				await bus.append(STREAM, numbered(2, 5));
				const again = inbox();
				await bus.consume(STREAM, 'twin', member({ member: 'phoenix', claimAfterMs: 600_000 }), again.take);
				expect(await again.holds(7)).toEqual(numbered(7));
			});

			it('gives a failed batch again, and acknowledges it then', async () => {
				const done = inbox();
				const failedWith: string[][] = [];
				const handle = async (entries: BusEntry[]) => {
					if (failedWith.length === 0) {
						failedWith.push(dataOf(entries));
						throw new Error('not this time');
					}
					await done.take(entries);
				};
				await bus.append(STREAM, numbered(4));
				const subscription = await bus.consume(STREAM, 'twin', member(), handle);
				expect(await done.holds(4)).toEqual(numbered(4));
				expect(failedWith).toEqual([numbered(4)]);
				await subscription.close();
				await appendLast();
				const next = inbox();
				await bus.consume(STREAM, 'twin', member(), next.take);
				expect(await next.holds(1)).toEqual(['last']);
				expect(await bus.deadLetters(STREAM)).toEqual([]);
			});

			it('sets aside what fails too often, with the reason, and the rest flows on', async () => {
				const done = inbox();
				const positions = await bus.append(STREAM, ['good 1', 'poison', 'good 2']);
				const begin = Date.now();
				const subscription = await bus.consume(STREAM, 'twin', member({ maxAttempts: 3 }), async (entries) => {
					if (entries.some(({ data }) => data === 'poison')) throw new Error('cannot be read');
					await done.take(entries);
				});
				await appendLast();
				expect(await done.holds(3)).toEqual(['good 1', 'good 2', 'last']);
				const letters = await bus.deadLetters(STREAM);
				expect(letters).toEqual([
					{ position: positions[1], data: 'poison', group: 'twin', reason: 'cannot be read', attempts: 3, at: expect.any(Number) },
				]);
				expect(letters[0]!.at).toBeGreaterThanOrEqual(begin);
				await subscription.close();
				await bus.append(STREAM, ['after']);
				const next = inbox();
				await bus.consume(STREAM, 'twin', member(), next.take);
				expect(await next.holds(1)).toEqual(['after']);
			});

			it('keeps the dead letters through a restart, newest first', async () => {
				const seen = inbox();
				await bus.append(STREAM, ['poison 1', 'poison 2', 'good']);
				await bus.consume(STREAM, 'twin', member({ maxAttempts: 1 }), async (entries) => {
					if (entries.some(({ data }) => data.startsWith('poison'))) throw new Error('cannot be read');
					await seen.take(entries);
				});
				await seen.holds(1);
				await harness.restart();
				bus = harness.reconnects ? bus : await harness.open();
				expect((await bus.deadLetters(STREAM)).map(({ data }) => data)).toEqual(['poison 2', 'poison 1']);
				expect((await bus.deadLetters(STREAM, 1)).map(({ data }) => data)).toEqual(['poison 2']);
				expect(await bus.deadLetters('command-results')).toEqual([]);
			});

			it('sets nothing aside while a handler says that what it needs is away', async () => {
				const done = inbox();
				let away = 3;
				await bus.append(STREAM, numbered(2));
				await bus.consume(STREAM, 'twin', member({ maxAttempts: 1 }), async (entries) => {
					if (away-- > 0) throw new CrowdVisionError('unavailable', 'the store is away');
					await done.take(entries);
				});
				expect(await done.holds(2)).toEqual(numbered(2));
				expect(await bus.deadLetters(STREAM)).toEqual([]);
			});

			it('hands what a member had not acknowledged when it was closed to the others', async () => {
				const given = Promise.withResolvers<void>();
				const finish = Promise.withResolvers<void>();
				const leaving = await bus.consume(STREAM, 'twin', member({ claimAfterMs: 2000 }), async () => {
					given.resolve();
					await finish.promise;
					throw new Error('interrupted');
				});
				await bus.append(STREAM, numbered(3));
				await given.promise;
				const heir = inbox();
				const other = await harness.open();
				await other.consume(STREAM, 'twin', member({ member: 'b', claimAfterMs: 2000 }), heir.take);
				const closed = leaving.close();
				finish.resolve();
				await within('the close', closed);
				expect(await heir.holds(3)).toEqual(numbered(3));
			});
		});

		describe('a backend in trouble', () => {
			it('loses nothing it took, through a restart under appends; consumers and tails go on and the tail repeats nothing', async () => {
				const taken: string[] = [];
				const consumed = inbox();
				const tailed = inbox();
				let appending = true;
				const follow = async () => {
					await bus.consume(STREAM, 'twin', member({ claimAfterMs: 500 }), consumed.take);
					await bus.tail(STREAM, tailed.entries.at(-1)?.position ?? START, tailed.take);
				};
				await follow();
				const appender = (async () => {
					for (let number = 0; appending; number++) {
						const entries = [`${number} a`, `${number} b`];
						const ok = await bus.append(STREAM, entries).then(
							() => true,
							(error) => {
								expect(error).toEqual(unavailable);
								return false;
							},
						);
						if (ok) taken.push(...entries);
						else await new Promise((resolve) => setTimeout(resolve, 10));
					}
				})();
				await waitFor('the first appends', () => taken.length >= 100);
				await harness.restart();
				if (!harness.reconnects) {
					bus = await harness.open();
					await follow();
				}
				const before = taken.length;
				await waitFor('appends after the restart', () => taken.length >= before + 100);
				appending = false;
				await within('the last append', appender);
				await appendLast();
				await waitFor('the consumer to catch up', () => consumed.entries.some(({ data }) => data === 'last'));
				await waitFor('the tail to catch up', () => tailed.entries.some(({ data }) => data === 'last'));
				expect(new Set(dataOf(consumed.entries)).isSupersetOf(new Set(taken))).toBe(true);
				expect(new Set(dataOf(tailed.entries)).isSupersetOf(new Set(taken))).toBe(true);
				for (const [index, { position }] of tailed.entries.entries()) {
					if (index > 0) expect(bus.compare(tailed.entries[index - 1]!.position, position)).toBeLessThan(0);
				}
			});

			it('rejects a refused append as unavailable with the reason, stores none of it, and goes on when it may', async () => {
				const [consumed, tailed] = [inbox(), inbox()];
				await bus.consume(STREAM, 'twin', member(), consumed.take);
				await bus.tail(STREAM, START, tailed.take);
				await bus.append(STREAM, ['before']);
				await consumed.holds(1);
				const position = await bus.position(STREAM);
				await harness.refuseWrites();
				const refused = bus.append(STREAM, numbered(50));
				await expect(refused).rejects.toEqual(unavailable);
				await expect(refused).rejects.toThrow(/memory|space|full/);
				expect(await bus.position(STREAM)).toBe(position);
				await harness.acceptWrites();
				await bus.append(STREAM, ['after']);
				expect(await consumed.holds(2)).toEqual(['before', 'after']);
				expect(await tailed.holds(2)).toEqual(['before', 'after']);
			});

			it('has nothing to say of itself when all is well', async () => {
				expect(await bus.trouble()).toBeUndefined();
			});
		});

		describe('tail', () => {
			it('sees exactly what follows a position, across a restart', async () => {
				const positions = await bus.append(STREAM, numbered(10));
				const first = inbox();
				const tail = await bus.tail(STREAM, positions[3]!, first.take);
				await first.holds(6);
				await bus.append(STREAM, numbered(2, 10));
				expect(await first.holds(8)).toEqual(numbered(8, 4));
				await tail.close();
				const from = first.entries.at(-1)!.position;
				await harness.restart();
				bus = harness.reconnects ? bus : await harness.open();
				await waitFor('the backend', async () => (await bus.trouble()) === undefined);
				await bus.append(STREAM, numbered(3, 12));
				const second = inbox();
				await bus.tail(STREAM, from, second.take);
				await bus.append(STREAM, numbered(1, 15));
				expect(await second.holds(4)).toEqual(numbered(4, 12));
			});

			it('sees everything from START, and only what is new from the position of now and from the end', async () => {
				expect(await bus.position(STREAM)).toBe(START);
				const [fromEmpty, fromStart, fromNow, fromEnd] = [inbox(), inbox(), inbox(), inbox()];
				await bus.tail(STREAM, await bus.position(STREAM), fromEmpty.take);
				const positions = await bus.append(STREAM, numbered(3));
				expect(await bus.position(STREAM)).toBe(positions[2]);
				await bus.tail(STREAM, START, fromStart.take);
				await bus.tail(STREAM, await bus.position(STREAM), fromNow.take);
				await bus.tail(STREAM, 'end', fromEnd.take);
				await appendLast();
				expect(await fromEmpty.holds(4)).toEqual([...numbered(3), 'last']);
				expect(await fromStart.holds(4)).toEqual([...numbered(3), 'last']);
				expect(await fromNow.holds(1)).toEqual(['last']);
				expect(await fromEnd.holds(1)).toEqual(['last']);
			});

			it('is told what it missed when its position is no longer held, once, before what is held', async () => {
				const positions = await bus.append(STREAM, numbered(11));
				await harness.giveUpOldest(STREAM);
				const told: (TailGap | BusEntry)[] = [];
				await bus.tail(
					STREAM,
					positions[0]!,
					(entries) => void told.push(...entries),
					(gap) => void told.push(gap),
				);
				await appendLast();
				await waitFor('the last entry', () => told.some((one) => 'data' in one && one.data === 'last'));
				const [gap, ...rest] = told;
				expect(gap).toEqual({ from: positions[0], to: expect.any(String) });
				expect(rest.every((one) => 'data' in one)).toBe(true);
				expect(bus.compare((gap as TailGap).to, (rest[0] as BusEntry).position)).toBeLessThan(0);
			});

			it('is told of no gap from START, nor from a position that is held', async () => {
				await bus.append(STREAM, numbered(11));
				await harness.giveUpOldest(STREAM);
				const gaps: TailGap[] = [];
				const everything = inbox();
				await bus.tail(STREAM, START, everything.take, (gap) => void gaps.push(gap));
				await waitFor('what is held', () => everything.entries.length > 1);
				const held = inbox();
				await bus.tail(STREAM, everything.entries[0]!.position, held.take, (gap) => void gaps.push(gap));
				await appendLast();
				await waitFor('the last entry', () => held.entries.at(-1)?.data === 'last');
				expect(dataOf(held.entries)).toEqual(dataOf(everything.entries).slice(1));
				expect(gaps).toEqual([]);
			});

			it('goes on after its handler failed', async () => {
				const seen: string[] = [];
				await bus.tail(STREAM, START, (entries) => {
					seen.push(...dataOf(entries));
					throw new Error('a bad day');
				});
				await bus.append(STREAM, ['one']);
				await waitFor('the first', () => seen.length === 1);
				await bus.append(STREAM, ['two']);
				await waitFor('the second', () => seen.length === 2);
				expect(seen).toEqual(['one', 'two']);
			});

			it('refuses what is no position', async () => {
				for (const position of ['', 'x', '-1', '1-', '1.5', `${'9'.repeat(21)}`, '0x10'] as Position[]) {
					await expect(bus.tail(STREAM, position, () => undefined)).rejects.toEqual(expect.objectContaining({ code: 'bad_request' }));
				}
			});
		});

		describe('announce and listen', () => {
			it('reaches those who listen now, on every bus, in order, and nobody else', async () => {
				const other = await harness.open();
				const heard: string[] = [];
				const late: string[] = [];
				await bus.announce('notifications', 'too early');
				const here = await bus.listen('notifications', (message) => heard.push(`here ${message}`));
				await other.listen('notifications', (message) => heard.push(`there ${message}`));
				await other.listen('devices', (message) => heard.push(`wrong ${message}`));
				await bus.announce('notifications', '1');
				await waitFor('both', () => heard.length === 2);
				await here.close();
				await bus.listen('notifications', (message) => late.push(message));
				await other.announce('notifications', '2');
				await waitFor('the rest', () => heard.length === 3 && late.length === 1);
				expect([...heard].sort()).toEqual(['here 1', 'there 1', 'there 2']);
				expect(late).toEqual(['2']);
			});

			it('is not stopped by a listener that throws', async () => {
				const heard: string[] = [];
				await bus.listen('notifications', () => {
					throw new Error('a bad listener');
				});
				await bus.listen('notifications', (message) => heard.push(message));
				await bus.announce('notifications', '1');
				await bus.announce('notifications', '2');
				await waitFor('both', () => heard.length === 2);
				expect(heard).toEqual(['1', '2']);
			});
		});

		describe('retain and watch', () => {
			it('tells what is there, then each change, to every watcher until it is closed', async () => {
				const other = await harness.open();
				await bus.retain('registry:buildings', 'b1', 'one');
				await bus.retain('registry:buildings', 'b2', 'two');
				await bus.retain('registry:buildings', 'b2', null);
				await bus.retain('registry:sensors', 's1', 'elsewhere');
				const state = new Map<string, string | null>();
				const changes: [string, string | null][] = [];
				await bus.watch('registry:buildings', () => {
					throw new Error('a bad watcher');
				});
				const watch = await bus.watch('registry:buildings', (key, value) => void state.set(key, value));
				await other.watch('registry:buildings', (key, value) => void changes.push([key, value]));
				expect([...state]).toEqual([['b1', 'one']]);
				expect(changes).toEqual([['b1', 'one']]);
				await other.retain('registry:buildings', 'b3', 'three');
				await bus.retain('registry:buildings', 'b1', null);
				await waitFor('the changes', () => state.get('b1') === null && changes.length === 3);
				expect(state.get('b3')).toBe('three');
				expect(changes).toEqual([
					['b1', 'one'],
					['b3', 'three'],
					['b1', null],
				]);
				await watch.close();
				await bus.retain('registry:buildings', 'b4', 'four');
				await waitFor('the other watcher', () => changes.length === 4);
				expect(state.has('b4')).toBe(false);
			});
		});

		describe('close', () => {
			it('lets a handler return and acknowledges its entries, then settles every promise', async () => {
				const given = Promise.withResolvers<void>();
				const finish = Promise.withResolvers<void>();
				let returned = false;
				const consumer = await bus.consume(STREAM, 'twin', member(), async () => {
					given.resolve();
					await finish.promise;
					returned = true;
				});
				const others = [
					await bus.tail(STREAM, 'end', () => undefined),
					await bus.listen('notifications', () => undefined),
					await bus.watch('registry:sensors', () => undefined),
				];
				await bus.append(STREAM, ['in hand']);
				await given.promise;
				const appends = numbered(20).map((entry) => bus.append(STREAM, [entry]));
				const closed = bus.close().then(() => expect(returned).toBe(true));
				finish.resolve();
				await within('the close', closed);
				await within('a second close', bus.close());
				await within('closing what is closed', Promise.all([consumer, ...others].map((one) => one.close())));
				await within('every append', Promise.allSettled(appends));
				await expect(bus.append(STREAM, ['too late'])).rejects.toEqual(unavailable);
				await expect(bus.consume(STREAM, 'twin', member(), async () => undefined)).rejects.toEqual(unavailable);
				expect(await bus.trouble()).toEqual(expect.any(String));

				await harness.restart();
				bus = await harness.open();
				const next = inbox();
				await bus.consume(STREAM, 'twin', member({ member: 'b', claimAfterMs: 300 }), next.take);
				await waitFor('the backend', async () => (await bus.trouble()) === undefined);
				await appendLast();
				await waitFor('the last entry', () => next.entries.at(-1)?.data === 'last');
				expect(dataOf(next.entries)).not.toContain('in hand');
			});
		});
	});
}
