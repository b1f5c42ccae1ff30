import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrowdVisionError, oneSpelling, type Reading, reading as readingSchema } from '@crowdvision/contracts';
import { type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Clock } from '../clock/clock.ts';
import { clockOptions } from '../clock/clock-config.ts';
import { systemTime } from '../clock/time-source.ts';
import { DecodeError } from '../decode/message/candidate.ts';
import type { Decoder, Decoding } from '../decode/message/decoder.ts';
import type { Frame } from '../frame.ts';
import { Ledger } from '../ledger/ledger.ts';
import { Occupancy } from '../occupancy/occupancy.ts';
import { Registry } from '../registry.ts';
import { Rejected } from '../rejected/rejected.ts';
import { breakableDisk } from '../testing/gateway-world.ts';
import { Intake } from './intake.ts';

const disk = breakableDisk();
let worker: CommitWorker;
beforeAll(() => {
	worker = startCommitWorker(disk.faults);
});
afterAll(() => worker.close());

/** An intake with a real log and rejected list, on a disk that can be made to fail. */
async function openIntake(maxBytes?: number) {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-intake-'));
	const log = await Log.open({ dir: join(dir, 'log'), worker, ...(maxBytes === undefined ? {} : { maxBytes }) });
	const rejected = await Rejected.open(join(dir, 'rejected'), worker, () => undefined);
	const registry = Registry.open(join(dir, 'registry'));
	const occupancy = new Occupancy();
	const ledger = new Ledger();
	const clock = Clock.open(dir, systemTime(), clockOptions(), createLogger('test', 'silent'));
	const intake = new Intake({ log, clock, registry, occupancy, rejected, ledger, gatewayId: 'a "gateway"' });
	const close = async () => {
		disk.mend();
		await rejected.close();
		await log.close();
		await registry.close();
		await rm(dir, { recursive: true });
	};
	const stored = async () => {
		const readings: Reading[] = [];
		for (let next = log.startOffset; ; ) {
			const read = await log.read(next);
			if (read.next === next) return readings;
			next = read.next;
			readings.push(...read.records.map(({ payload }) => JSON.parse(payload.toString()) as Reading));
		}
	};
	return { intake, log, occupancy, ledger, close, stored };
}

const frame = (value: unknown, change: Partial<Frame> = {}): Frame => ({
	transport: 'http',
	source: 'test',
	sender: { id: 'port', domainName: undefined, sensorIds: undefined, buildingId: undefined },
	context: {},
	raw: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
	...change,
});
const reading = (change: object = {}) => ({
	sensorId: 's',
	metric: 'co2',
	value: 400,
	buildingId: 'b',
	roomId: 'r',
	...change,
});

/** The code with which a frame is refused, or the number of its readings. */
const outcome = (delivered: Promise<number>) =>
	delivered.catch((error: unknown) => {
		if (error instanceof CrowdVisionError) return error.code;
		throw error;
	});

describe('the intake', () => {
	it('writes records that every reader can parse, whatever the device sent', async () => {
		const { intake, stored, close } = await openIntake();
		onTestFinished(close);
		const texts = fc.string({ minLength: 1, maxLength: 64, unit: 'binary' });
		const id = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
		let taken = 0;
		await fc.assert(
			fc.asyncProperty(
				id,
				id,
				texts,
				fc.oneof(
					texts,
					fc.double(),
					fc.date().map((date) => (Number.isNaN(date.getTime()) ? 0 : date.toISOString())),
				),
				fc.double({ min: 0, max: 40_000, noNaN: true }),
				async (buildingId, roomId, boot, observedAt, value) => {
					const sent = reading({ buildingId, roomId, boot, observedAt, value, seq: taken });
					if ((await outcome(intake.deliver(frame(sent)))) === 1) {
						taken++;
						const last = (await stored()).at(-1)!;
						expect(readingSchema.check(last)).toBe(true);
						const place = { buildingId: oneSpelling(buildingId), roomId: oneSpelling(roomId) };
						expect(last).toMatchObject({ ...place, boot, value: value + 0, gatewayId: 'a "gateway"' });
					}
				},
			),
			{ numRuns: 100 },
		);
		expect(taken).toBeGreaterThan(10);
		expect(await stored()).toHaveLength(taken);
	});

	it('gives every reading a unique id that does not change', async () => {
		const { intake, log, stored, close } = await openIntake();
		onTestFinished(close);
		await intake.deliver(frame([reading(), reading(), reading()]));
		disk.breakDown();
		expect(await outcome(intake.deliver(frame(reading())))).toBe('unavailable');
		disk.mend();
		await Promise.all([
			intake.deliver(frame(reading())),
			intake.deliver(frame([reading(), reading()])),
			intake.deliver(frame(reading())),
		]);
		const readings = await stored();
		expect(new Set(readings.map(({ id }) => id)).size).toBe(7);
		const { records } = await log.read(0);
		for (const { offset, payload } of records)
			expect((JSON.parse(payload.toString()) as Reading).id).toBe(`${log.id}-${offset}`);
	});

	it('answers a duplicate of a reading under way when that reading is stored, or fails with it', async () => {
		const { intake, log, stored, close } = await openIntake();
		onTestFinished(close);
		const sent = reading({ seq: 1 });
		const both = [intake.deliver(frame(sent)), intake.deliver(frame(sent))];
		const ends = both.map((delivered) => delivered.then(() => log.endOffset));
		expect(await Promise.all(ends)).toEqual([1, 1]);
		disk.breakDown();
		const next = reading({ seq: 2 });
		expect(await Promise.all([outcome(intake.deliver(frame(next))), outcome(intake.deliver(frame(next)))])).toEqual([
			'unavailable',
			'unavailable',
		]);
		disk.mend();
		expect(await outcome(intake.deliver(frame(next)))).toBe(1);
		expect(await stored()).toHaveLength(2);
	});

	it('undoes crossings that could not be stored, of one message and of several at once', async () => {
		const { intake, occupancy, close } = await openIntake();
		onTestFinished(close);
		const crossing = (metric: string, value: number) => reading({ metric, value });
		await intake.deliver(frame(crossing('peopleIn', 2)));
		disk.breakDown();
		const frames = [
			crossing('peopleIn', 3),
			crossing('peopleOut', 7),
			[crossing('peopleIn', 4), crossing('peopleOut', 9)],
			crossing('peopleIn', 1),
		];
		expect(await Promise.all(frames.map((one) => outcome(intake.deliver(frame(one)))))).toEqual(
			frames.map(() => 'unavailable'),
		);
		expect(occupancy.count('b', 'r')).toBe(2);
	});

	it('counts each message by its rule: decoded, without a reading, unreadable, to be sent again', async () => {
		const { intake, ledger, stored, close } = await openIntake();
		onTestFinished(close);
		const answers: (Decoding | Error)[] = [
			[
				{ candidate: reading({ value: 1 }), index: 0 },
				{ candidate: reading({ value: 2 }), index: 1 },
			],
			'no_metric',
			DecodeError.unreadable('is torn'),
			new TypeError('a mistake of the decoder'),
			new CrowdVisionError('unavailable', 'not now'),
		];
		const decoder: Decoder = {
			async decode() {
				const answer = answers.shift()!;
				if (answer instanceof Error) throw answer;
				return answer;
			},
		};
		const rule = { name: 'acme/#', use: 'jsonata', config: { use: 'jsonata' }, decoder, defaults: {} } as const;
		const taken = Array.from({ length: 5 }, () =>
			outcome(intake.deliver(frame('{}', { decodeBy: { rule, name: undefined } }))),
		);
		expect(ledger.imbalance()).toBe(0);
		expect(await Promise.all(taken)).toEqual([2, 0, 'not_decoded', 'not_decoded', 'unavailable']);
		expect(await stored()).toHaveLength(2);
		const expected = { ignored: { no_metric: 1 }, rejected: { not_decoded: 2 }, deferred: 1, pending: 0, imbalance: 0 };
		expect(ledger.part('decoder', 'acme/#').summary()).toMatchObject({ ...expected, received: 5, accepted: 1 });
		expect(ledger.of('http').summary()).toMatchObject({ ...expected, received: 6, accepted: 2 });
	});

	/** Frames that arrive at the same time, and what the disk does meanwhile. */
	type Step = { frames: unknown[]; fault: 'none' | 'broken' | 'full' };
	const anyReading = fc.record({
		sensorId: fc.constantFrom('s1', 's2', 'bad id'),
		metric: fc.constantFrom('co2', 'peopleIn', 'peopleOut', 'mood'),
		value: fc.integer({ min: -1, max: 8 }),
		seq: fc.option(fc.nat(5), { nil: undefined }),
		buildingId: fc.constant('b'),
		roomId: fc.constantFrom('r1', 'r2', undefined),
	});
	const anyFrame = fc.oneof(
		{ weight: 6, arbitrary: anyReading },
		{ weight: 2, arbitrary: fc.array(anyReading, { maxLength: 4 }) },
		{ weight: 1, arbitrary: fc.constantFrom('', '{', 'null', '[[]]') },
	);
	const steps: fc.Arbitrary<Step[]> = fc.array(
		fc.record({
			frames: fc.array(anyFrame, { minLength: 1, maxLength: 6 }),
			fault: fc.constantFrom('none', 'none', 'broken', 'full'),
		}),
		{ minLength: 1, maxLength: 8 },
	);

	it('balances its ledger, stores what it acknowledged and no more, and counts people as stored', async () => {
		await fc.assert(
			fc.asyncProperty(steps, async (all) => {
				const { intake, log, ledger, occupancy, stored, close } = await openIntake(512 * 1024);
				try {
					let acknowledged = 0;
					const holding = log.cursor('holding');
					for (const { frames, fault } of all) {
						if (fault === 'broken') disk.breakDown();
						const filler = fault === 'full' ? await fill(log) : 0;
						const outcomes = frames.map((one) => outcome(intake.deliver(frame(one))));
						expect(ledger.imbalance()).toBe(0);
						for (const taken of await Promise.all(outcomes)) if (typeof taken === 'number') acknowledged += taken;
						expect(ledger.imbalance()).toBe(0);
						disk.mend();
						if (filler > 0) holding.commit(log.endOffset);
					}
					const { accepted, duplicates, pending } = ledger.of('http');
					expect(pending).toBe(0);
					expect(accepted + duplicates).toBe(acknowledged);
					const readings = (await stored()).filter(({ sensorId }) => sensorId);
					// A full log makes room by giving up readings that were consumed.
					expect(readings.length).toBeLessThanOrEqual(accepted);
					if (!all.some(({ fault }) => fault === 'full')) {
						expect(readings).toHaveLength(accepted);
						expect(countsOf(readings)).toEqual(occupancyOf(occupancy));
					}
				} finally {
					await close();
				}
			}),
			{ numRuns: 25 },
		);
	});
});

/** Fills the log with records until there is no room; returns how many. */
async function fill(log: Log): Promise<number> {
	let count = 0;
	for (const size of [60_000, 1000, 1]) {
		for (;;) {
			const appended = await log
				.append([{ payload: Buffer.from(JSON.stringify({ filler: 'x'.repeat(size) })) }])
				.catch(() => undefined);
			if (!appended) break;
			count++;
		}
	}
	return count;
}

/** The people in each room, computed from the stored crossings. */
function countsOf(readings: Reading[]): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const { roomId, crossings, value } of readings) {
		if (!crossings) continue;
		counts[roomId] = Math.max(0, (counts[roomId] ?? 0) + crossings.in - crossings.out);
		expect(value).toBe(counts[roomId]);
	}
	return withoutEmpty(counts);
}

function occupancyOf(occupancy: Occupancy): Record<string, number> {
	return withoutEmpty(
		Object.fromEntries(Object.entries(occupancy.export()).map(([room, { count }]) => [room.replace('b/', ''), count])),
	);
}

/** A room whose only crossings were undone is empty, not unknown. */
const withoutEmpty = (counts: Record<string, number>) =>
	Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
