import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT_IN_METRICS } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { expect, it, onTestFinished } from 'vitest';
import { Clock } from '../clock/clock.ts';
import { clockOptions } from '../clock/clock-config.ts';
import { systemTime } from '../clock/time-source.ts';
import { warmUp } from './warm-up.ts';

it('the warm-up of the intake refuses none of its readings and writes nothing', async () => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-warm-up-'));
	onTestFinished(() => rm(dir, { recursive: true, force: true }));
	const clock = Clock.open(dir, systemTime(), clockOptions(), createLogger('test', 'silent'));
	const before = await readdir(dir);
	const { taken, refused } = await warmUp({ dir, clock, metrics: { catalog: BUILT_IN_METRICS }, gatewayId: 'pi' });
	expect(taken).toBeGreaterThanOrEqual(250);
	expect(refused).toBe(0);
	expect(await readdir(dir)).toEqual(before);
});
