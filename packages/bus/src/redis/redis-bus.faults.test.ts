import type { StreamName } from '@crowdvision/contracts';
import { startNode } from '@crowdvision/testing/processes';
import { waitFor, within } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BusEntry, START } from '../bus.ts';
import { type RedisHarness, redisHarness } from '../testing/redis-harness.ts';
import type { RedisBus } from './redis-bus.ts';

const STREAM: StreamName = 'telemetry';
const unavailable = expect.objectContaining({ code: 'unavailable' });

let harness: RedisHarness;
let bus: RedisBus;

beforeEach(async () => {
	harness = await redisHarness();
	bus = await harness.open({ timeoutMs: 500 });
});
afterEach(() => harness.stop());

function collect() {
	const seen: string[] = [];
	return { seen, take: async (entries: BusEntry[]) => void seen.push(...entries.map(({ data }) => data)) };
}

describe('the bus while Redis is away', () => {
	it('rejects as unavailable within its timeouts, reports it within a second, and recovers by itself', async () => {
		await bus.append(STREAM, ['before']);
		await harness.server.kill('SIGSTOP');
		// Bus.trouble promises to resolve within a second.
		const trouble = await within('the answer', bus.trouble(), 1000);
		expect(trouble).toMatch(/^Redis at 127\.0\.0\.1:\d+/);
		await expect(within('the append', bus.append(STREAM, ['lost in the network']))).rejects.toEqual(unavailable);
		await harness.server.kill('SIGCONT');
		await waitFor('Redis', async () => (await bus.trouble()) === undefined);
		await bus.append(STREAM, ['after']);
		const everything = collect();
		await bus.tail(STREAM, START, everything.take);
		await waitFor('the last', () => everything.seen.at(-1) === 'after');
		expect(everything.seen[0]).toBe('before');
	});

	it('begins the consumers, tails, listeners and watches requested meanwhile once Redis is there', async () => {
		await harness.server.kill();
		const [consumed, tailed] = [collect(), collect()];
		const received: string[] = [];
		const known = new Map<string, string | null>();
		await within(
			'asking',
			Promise.all([
				bus.consume(STREAM, 'twin', { member: 'a' }, consumed.take),
				bus.tail(STREAM, START, tailed.take),
				bus.listen('notifications', (message) => received.push(message)),
				bus.watch('registry:sensors', (key, value) => void known.set(key, value)),
			]),
		);
		await expect(bus.append(STREAM, ['never'])).rejects.toEqual(unavailable);
		await harness.server.restart();
		await waitFor('Redis', async () => (await bus.trouble()) === undefined);
		await bus.append(STREAM, ['now']);
		await bus.retain('registry:sensors', 's1', 'here');
		await waitFor('consumer and tail', () => consumed.seen.length > 0 && tailed.seen.length > 0);
		await waitFor('the watch', () => known.get('s1') === 'here');
		await waitFor('the listener', async () => {
			await bus.announce('notifications', 'hello');
			return received.length > 0;
		});
		expect(consumed.seen).toEqual(['now']);
		expect(tailed.seen).toEqual(['now']);
	});

	it('reports to a watcher what changed and vanished during a restart, and reaches listeners again', async () => {
		const known = new Map<string, string | null>();
		const received: string[] = [];
		for (const key of ['kept', 'changed', 'vanished']) await bus.retain('registry:sensors', key, 'old');
		await bus.watch('registry:sensors', (key, value) => void known.set(key, value));
		await bus.listen('notifications', (message) => received.push(message));
		// Without PUBLISH, so that the bus cannot notice it.
		await harness.client.multi().hset('registry:sensors', 'changed', 'new').hdel('registry:sensors', 'vanished').exec();
		await harness.server.restart();
		await waitFor('what it missed', () => known.get('changed') === 'new');
		expect(Object.fromEntries(known)).toEqual({ kept: 'old', changed: 'new', vanished: null });
		await waitFor('the listener', async () => {
			await bus.announce('notifications', 'hello').catch(() => undefined);
			return received.length > 0;
		});
	});

	it('creates its groups again when Redis lost its data, and goes on', async () => {
		const [consumed, tailed] = [collect(), collect()];
		await bus.consume(STREAM, 'twin', { member: 'a' }, consumed.take);
		await bus.tail(STREAM, START, tailed.take);
		await bus.append(STREAM, ['one']);
		await waitFor('the first', () => consumed.seen.length === 1 && tailed.seen.length === 1);
		await harness.client.flushall();
		await bus.append(STREAM, ['two']);
		await waitFor('the second', () => consumed.seen.length === 2 && tailed.seen.length === 2);
		expect(consumed.seen).toEqual(['one', 'two']);
		expect(tailed.seen).toEqual(['one', 'two']);
	});

	it('retries an acknowledgement that Redis refuses instead of handling the entries again', async () => {
		const consumed = collect();
		await bus.append(STREAM, ['one']);
		await bus.consume(STREAM, 'twin', { member: 'a', claimAfterMs: 600_000 }, async (entries) => {
			await consumed.take(entries);
			if (consumed.seen.length === 1) await harness.server.kill();
		});
		await waitFor('the handler', () => consumed.seen.length === 1);
		await harness.server.restart();
		await waitFor('the acknowledgement', async () => {
			const [pending] = (await harness.client.xpending(STREAM, 'twin')) as [number];
			return pending === 0;
		});
		expect(consumed.seen).toEqual(['one']);
	});
});

describe('members of a group', () => {
	it('do not take over from a member whose handler is slow but alive', async () => {
		const other = await harness.open();
		const finish = Promise.withResolvers<void>();
		const [slow, idle] = [collect(), collect()];
		const looks = async () =>
			Number(/cmdstat_xpending:calls=(\d+)/.exec(await harness.client.info('commandstats'))?.[1] ?? 0);
		await bus.append(STREAM, ['long work']);
		await bus.consume(STREAM, 'twin', { member: 'slow', claimAfterMs: 1500 }, async (entries) => {
			await slow.take(entries);
			await finish.promise;
		});
		await waitFor('the work to begin', () => slow.seen.length === 1);
		const before = await looks();
		await other.consume(STREAM, 'twin', { member: 'idle', claimAfterMs: 1500 }, idle.take);
		// Two looks at its start, then at least 600 ms between looks: six looks span more than the 1500 ms after which it
		// would take over.
		await waitFor('the idle one to have looked often', async () => (await looks()) >= before + 6);
		expect(idle.seen).toEqual([]);
		finish.resolve();
		await waitFor(
			'the acknowledgement',
			async () => ((await harness.client.xpending(STREAM, 'twin')) as [number])[0] === 0,
		);
		expect(slow.seen).toEqual(['long work']);
	});

	it('set aside an entry that killed as many members as it may fail, and lose nothing else', async () => {
		await bus.append(STREAM, ['good 1', 'deadly', 'good 2']);
		let deaths = 0;
		const handled: string[] = [];
		for (let alive = false; !alive; ) {
			const args = ['redis', harness.server.url, STREAM, 'twin', 'mortal', 'deadly'];
			const mortal = await startNode('packages/bus/src/testing/hold-entries.ts', { args });
			let dead = false;
			void mortal.exited.then(() => {
				dead = true;
			});
			await waitFor(
				'its end, or the letter',
				async () => dead || ((await bus.deadLetters(STREAM)).length > 0 && mortal.stdout().includes('good 2')),
			);
			alive = !dead;
			if (dead) deaths++;
			await mortal.kill();
			handled.push(
				...[...mortal.stdout().matchAll(/holding (.*)\n/g)].flatMap(([, list]) => JSON.parse(list!) as string[]),
			);
		}
		const letters = await bus.deadLetters(STREAM);
		expect(letters).toMatchObject([{ data: 'deadly', group: 'twin', attempts: 4 }]);
		expect(deaths).toBe(4);
		expect(handled.sort()).toEqual(['good 1', 'good 2']);
	});

	it('leave nothing behind in Redis when they close while holding nothing', async () => {
		const guest = collect();
		const subscription = await bus.consume(STREAM, 'twin', { member: 'guest' }, guest.take);
		await bus.append(STREAM, ['one']);
		await waitFor(
			'the member',
			async () =>
				guest.seen.length > 0 && ((await harness.client.xinfo('CONSUMERS', STREAM, 'twin')) as unknown[]).length === 1,
		);
		await subscription.close();
		expect(await harness.client.xinfo('CONSUMERS', STREAM, 'twin')).toEqual([]);
	});
});

describe('the data in Redis', () => {
	it('is one entry per item, with the field name of the contract, and plain hashes and channels', async () => {
		const [position] = await bus.append(STREAM, ['{"value":1}']);
		await bus.append('commands', ['{"name":"beep"}']);
		expect(await harness.client.xrange(STREAM, '-', '+')).toEqual([[position, ['reading', '{"value":1}']]]);
		expect((await harness.client.xrange('commands', '-', '+'))[0]?.[1]).toEqual(['command', '{"name":"beep"}']);
		await bus.retain('registry:buildings', 'b1', '{"id":"b1"}');
		expect(await harness.client.hgetall('registry:buildings')).toEqual({ b1: '{"id":"b1"}' });
	});

	it('is kept apart under the key prefix where one is set', async () => {
		const apart = await harness.open({ keyPrefix: 'site-a:' });
		const received: string[] = [];
		await bus.listen('notifications', (message) => received.push(`plain ${message}`));
		await apart.listen('notifications', (message) => received.push(`apart ${message}`));
		await apart.append(STREAM, ['one']);
		await apart.announce('notifications', '1');
		await apart.retain('registry:sensors', 's1', 'here');
		await waitFor('the message', () => received.length > 0);
		expect(received).toEqual(['apart 1']);
		expect((await harness.client.keys('*')).sort()).toEqual(['site-a:registry:sensors', 'site-a:telemetry']);
	});

	it('is refused, with the reason, where the key is in use by another type', async () => {
		await harness.client.set(STREAM, 'a string');
		const refused = bus.append(STREAM, ['one', 'two']);
		await expect(refused).rejects.toEqual(unavailable);
		await expect(refused).rejects.toThrow(/WRONGTYPE/);
	});
});
