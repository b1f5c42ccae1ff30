import type { StreamName } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RedisHarness, redisHarness } from '../testing/redis-harness.ts';
import { trimStream } from './trim.ts';

const STREAM: StreamName = 'telemetry';
const BOUNDS = { keep: 1000, max: 3000 };
/** XTRIM ~ removes whole nodes of the stream only, so a trim may leave this many entries more than `keep`. */
const NODE = 100;

let harness: RedisHarness;
beforeEach(async () => {
	harness = await redisHarness();
});
afterEach(() => harness.stop());

async function fill(count: number): Promise<string[]> {
	const bus = await harness.open();
	return bus.append(
		STREAM,
		Array.from({ length: count }, (_, index) => `entry ${index}`),
	);
}

/** Delivers `delivered` entries to the group and acknowledges the first `acknowledged` of them. */
async function read(group: string, delivered: number, acknowledged: number): Promise<void> {
	await harness.client.xgroup('CREATE', STREAM, group, '0');
	if (delivered === 0) return;
	const [[, entries]] = (await harness.client.xreadgroup(
		'GROUP',
		group,
		'm',
		'COUNT',
		delivered,
		'STREAMS',
		STREAM,
		'>',
	)) as [[string, [id: string, fields: string[]][]]];
	const ids = entries.slice(0, acknowledged).map(([id]) => id);
	if (ids.length > 0) await harness.client.xack(STREAM, group, ...ids);
}

const oldest = async () => (await harness.client.xrange(STREAM, '-', '+', 'COUNT', 1))[0]![0];

describe('trimStream', () => {
	it('leaves a stream alone that is short enough or does not exist', async () => {
		expect(await trimStream(harness.client, STREAM, BOUNDS)).toEqual({ length: 0 });
		await fill(BOUNDS.keep);
		expect(await trimStream(harness.client, STREAM, BOUNDS)).toEqual({ length: BOUNDS.keep });
	});

	it('cuts a stream without groups down to about `keep` entries, and never below', async () => {
		await fill(2500);
		const { length, blockedBy } = await trimStream(harness.client, STREAM, BOUNDS);
		expect(blockedBy).toBeUndefined();
		expect(length).toBeGreaterThanOrEqual(BOUNDS.keep);
		expect(length).toBeLessThanOrEqual(BOUNDS.keep + NODE);
		expect(await harness.client.xlen(STREAM)).toBe(length);
	});

	it('cuts down to about `keep` entries when every group has acknowledged everything', async () => {
		await fill(2500);
		await read('twin', 2500, 2500);
		await read('notification', 2500, 2500);
		expect((await trimStream(harness.client, STREAM, BOUNDS)).length).toBeLessThanOrEqual(BOUNDS.keep + NODE);
	});

	it('keeps the oldest entry that was delivered to a group and not acknowledged', async () => {
		const ids = await fill(2500);
		await read('twin', 2500, 2500);
		await read('notification', 2500, 700);
		const { blockedBy } = await trimStream(harness.client, STREAM, BOUNDS);
		expect(blockedBy).toBeUndefined();
		const first = ids.indexOf(await oldest());
		expect(first).toBeLessThanOrEqual(700);
		expect(first).toBeGreaterThan(700 - NODE);
	});

	it('keeps what was not delivered to a group yet', async () => {
		const ids = await fill(2500);
		await read('twin', 300, 300);
		await trimStream(harness.client, STREAM, BOUNDS);
		expect(ids.indexOf(await oldest())).toBeLessThanOrEqual(300);
	});

	it('names the group furthest behind when the stream is longer than its bound', async () => {
		await fill(3500);
		await read('twin', 3500, 3500);
		await read('slow', 10, 2);
		await read('slower', 0, 0);
		const { length, blockedBy } = await trimStream(harness.client, STREAM, BOUNDS);
		expect(length).toBe(3500);
		expect(blockedBy).toBe('slower');
	});
});

describe('an append to a full stream', () => {
	it('is refused with the name of the group that is behind, until that group has caught up', async () => {
		const trim = { keep: 50, max: 500 };
		const bus = await harness.open({ trim });
		await harness.client.xgroup('CREATE', STREAM, 'asleep', '0', 'MKSTREAM');
		let taken = 0;
		let refusal: unknown;
		for (; refusal === undefined && taken < 2 * trim.max; taken++) {
			await bus.append(STREAM, ['x'.repeat(100)]).catch((error) => {
				refusal = error;
				taken--;
			});
		}
		expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('asleep') });
		expect(taken).toBeGreaterThanOrEqual(trim.max);
		// Trimmed every (max - keep) / 10 appends at the least.
		expect(taken).toBeLessThanOrEqual(trim.max + (trim.max - trim.keep) / 10 + 1);
		expect(await harness.client.xlen(STREAM)).toBe(taken);

		const seen: string[] = [];
		await bus.consume(
			STREAM,
			'asleep',
			{ member: 'awake' },
			async (entries) => void seen.push(...entries.map(({ position }) => position)),
		);
		await waitFor('the group to catch up', () => seen.length === taken);
		const position = await waitFor('an append that is taken', () =>
			bus.append(STREAM, ['again']).catch(() => undefined),
		);
		await waitFor('it to be consumed', () => seen.at(-1) === position[0]);
		expect(seen).toHaveLength(taken + 1);
	});
});
