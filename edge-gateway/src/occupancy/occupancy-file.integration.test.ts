import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointFile, type CommitWorker, Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Clock } from '../clock/clock.ts';
import { clockOptions } from '../clock/clock-config.ts';
import { systemTime } from '../clock/time-source.ts';
import { Intake } from '../intake/intake.ts';
import { Ledger } from '../ledger/ledger.ts';
import { Registry } from '../registry.ts';
import { Rejected } from '../rejected/rejected.ts';
import type { OccupancyConfig } from './occupancy-config.ts';
import { type OpenOccupancy, openOccupancy } from './open-occupancy.ts';

const config: OccupancyConfig = {
	doors: [
		{ sensorId: 'total', counter: 'cumulative', wrapAt: 256 },
		{ sensorId: 'mid', between: { from: 'r1', to: 'r2' }, counter: 'cumulative' },
		{ sensorId: 'side', swapped: true, bias: 0.2 },
	],
};

let worker: CommitWorker;
let clock: Clock;
let clockDir: string;
beforeAll(async () => {
	worker = startCommitWorker();
	clockDir = await mkdtemp(join(tmpdir(), 'crowdvision-clock-'));
	clock = Clock.open(clockDir, systemTime(), clockOptions(), createLogger('test', 'silent'));
});
afterAll(async () => {
	await worker.close();
	await rm(clockDir, { recursive: true });
});

interface DoorReading {
	kind: 'door';
	sensorId: string;
	metric: 'peopleIn' | 'peopleOut';
	value: number;
	roomId: string;
	boot?: string | undefined;
	agoMs: number;
}

interface KnownCount {
	kind: 'correction' | 'zeroing';
	roomId: string;
	count: number;
}

const roomId = fc.constantFrom('r1', 'r2');
const doorReading: fc.Arbitrary<DoorReading> = fc.record(
	{
		kind: fc.constant('door' as const),
		sensorId: fc.constantFrom('total', 'mid', 'side', 'plain'),
		metric: fc.constantFrom('peopleIn' as const, 'peopleOut' as const),
		value: fc.nat(255),
		roomId,
		boot: fc.constantFrom('a', 'b'),
		agoMs: fc.nat(600_000),
	},
	{ requiredKeys: ['kind', 'sensorId', 'metric', 'value', 'roomId', 'agoMs'] },
);
const knownCount: fc.Arbitrary<KnownCount> = fc.record({
	kind: fc.constantFrom('correction' as const, 'zeroing' as const),
	roomId,
	count: fc.nat(300),
});
const events = fc.array(fc.oneof({ weight: 6, arbitrary: doorReading }, { weight: 1, arbitrary: knownCount }), {
	maxLength: 40,
});

describe('OccupancyFile', () => {
	it('P9 restores rooms exactly, also after a kill at any moment after any checkpoint', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-occupancy-'));
		const registry = Registry.open(join(dir, 'registry'));
		const rejected = await Rejected.open(join(dir, 'rejected'), worker, () => undefined);
		let run = 0;
		const open = (folder: string, log: Log) =>
			openOccupancy({
				config,
				gatewayId: 'pi',
				dir: folder,
				log,
				worker,
				clock,
				ledger: new Ledger(),
				zoneOf: () => undefined,
				freshFor: () => 300_000,
				logger: createLogger('test', 'silent'),
			});
		const play = async (rooms: OpenOccupancy, log: Log, all: (DoorReading | KnownCount)[]) => {
			const { occupancy, adjustments } = rooms;
			const intake = new Intake({ log, clock, registry, occupancy, rejected, ledger: new Ledger(), gatewayId: 'pi' });
			for (const one of all) {
				const now = Date.now();
				const room = { buildingId: 'b', roomId: one.roomId };
				if (one.kind === 'zeroing') await adjustments.zero(room, { reason: 'nightly', at: now, due: now });
				else if (one.kind === 'correction') {
					if (occupancy.room('b', one.roomId)) {
						await adjustments.correct(room, { count: one.count, note: undefined, account: { id: 'a1', name: 'Ada' } });
					}
				} else if (one.kind === 'door') {
					const { kind, agoMs, ...reading } = one;
					const parsed = { ...reading, buildingId: 'b', observedAt: now - agoMs };
					const sender = { id: 'port', domainName: undefined, sensorIds: undefined, buildingId: undefined };
					await intake.deliver({
						transport: 'http',
						source: 'test',
						sender,
						context: {},
						raw: Buffer.from(JSON.stringify(parsed)),
					});
				}
			}
		};
		try {
			await fc.assert(
				fc.asyncProperty(events, events, async (before, after) => {
					const folder = join(dir, String(run++));
					const log = await Log.open({ dir: join(folder, 'log'), worker });
					try {
						const first = await open(folder, log);
						await play(first, log, before);
						await first.close();
						const second = await open(folder, log);
						expect(second.occupancy.export()).toEqual(first.occupancy.export());
						await play(second, log, after);
						// A kill leaves the previous checkpoint and the log.
						const killed = join(folder, 'killed');
						await mkdir(killed);
						for (const file of await readdir(folder))
							if (file.startsWith('occupancy.')) await cp(join(folder, file), join(killed, file));
						await second.close();
						const third = await open(killed, log);
						expect(third.occupancy.export()).toEqual(second.occupancy.export());
						await third.close();
					} finally {
						await log.close();
					}
				}),
				{ numRuns: 30 },
			);
		} finally {
			await rejected.close();
			await registry.close();
			await rm(dir, { recursive: true, force: true });
		}
	});

	it('reads a checkpoint of an earlier version, which has only counts', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-occupancy-'));
		const log = await Log.open({ dir: join(dir, 'log'), worker });
		await new CheckpointFile(join(dir, 'occupancy')).write({ offset: 0, counts: { 'b/hall': 7 } });
		const rooms = await openOccupancy({
			config: {},
			gatewayId: 'pi',
			dir,
			log,
			worker,
			clock,
			ledger: new Ledger(),
			zoneOf: () => undefined,
			freshFor: () => 300_000,
			logger: createLogger('test', 'silent'),
		});
		expect(rooms.occupancy.room('b', 'hall')).toMatchObject({ count: 7, interval: { low: 7, high: 7 } });
		await rooms.close();
		await log.close();
		await rm(dir, { recursive: true, force: true });
	});

	it('restores rooms from their last readings if the checkpoint and the start of the log are lost', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-occupancy-'));
		const log = await Log.open({ dir: join(dir, 'log'), worker });
		const record = {
			sensorId: 'd',
			buildingId: 'b',
			roomId: 'hall',
			observedAt: 5000,
			receivedAt: 5000,
			interval: { low: 30, high: 50 },
		};
		await log.append([{ payload: JSON.stringify({ ...record, value: 42, crossings: { in: 3, out: 0 } }) }]);
		const rooms = await openOccupancy({
			config: {},
			gatewayId: 'pi',
			dir,
			log,
			worker,
			clock,
			ledger: new Ledger(),
			zoneOf: () => undefined,
			freshFor: () => 300_000,
			logger: createLogger('test', 'silent'),
		});
		const { count, interval } = rooms.occupancy.room('b', 'hall')!;
		expect(count).toBe(42);
		expect(interval.low).toBeLessThanOrEqual(32);
		expect(interval.high).toBeGreaterThanOrEqual(50);
		await rooms.close();
		await log.close();
		await rm(dir, { recursive: true, force: true });
	});
});
