import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCommitWorker } from '@crowdvision/log';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AuditTrail } from './audit-trail.ts';
import { Doors } from './doors.ts';
import { Occupancy } from './occupancy.ts';
import { type Change, MAX_ROOMS } from './room-count.ts';

const RECORD = { offset: 0, receivedAt: 0 };
const CROSSING: Change = { kind: 'crossings', door: 'a', direction: 'in', count: 1, at: 1000, receivedAt: 9000 };

describe('Occupancy, with ever new rooms,', () => {
	it('has an audit trail of the same bounded number of rooms', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-audit-'));
		onTestFinished(() => rm(dir, { recursive: true }));
		const worker = startCommitWorker();
		onTestFinished(() => worker.close());
		const trail = await AuditTrail.open({
			dir,
			worker,
			logId: 'log',
			onNotable: () => undefined,
			onIncident: () => undefined,
		});
		onTestFinished(() => trail.close());
		const occupancy = new Occupancy(new Doors(), trail);
		for (let i = 0; i <= MAX_ROOMS; i++) occupancy.apply('flood', `${i}`, CROSSING, RECORD).stored();
		expect(trail.of('flood', '0', 10)).toEqual([]);
		expect(trail.of('flood', '1', 10)).toHaveLength(1);
		expect(trail.of('flood', `${MAX_ROOMS}`, 10)).toHaveLength(1);
	});
});
