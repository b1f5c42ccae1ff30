import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadingGap } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BusEntry } from '../bus.ts';
import { EmbeddedBus } from './embedded-bus.ts';

describe('the gap before a reading', () => {
	it('reaches an embedded group with the first entry after it, until that entry is acknowledged', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-gaps-'));
		const worker = startCommitWorker();
		const log = await Log.open({ dir, worker, maxBytes: 128 * 1024, whenFull: 'drop-oldest' });
		const bus = new EmbeddedBus({ gatewayId: 'pi', logs: { telemetry: log, commands: log, 'command-results': log } });
		onTestFinished(async () => {
			await bus.close();
			await log.close();
			await worker.close();
			await rm(dir, { recursive: true });
		});
		log.cursor('group:late');
		for (let at = 0; log.stats().dropped.oldest === 0; at++)
			await bus.append('telemetry', [`${at} ${'x'.repeat(4000)}`]);
		const seen: BusEntry[] = [];
		let failures = 2;
		await bus.consume('telemetry', 'late', { member: 'a' }, async (entries) => {
			if (failures-- > 0) throw new Error('not yet');
			seen.push(...entries);
		});
		await waitFor('the entries', () => seen.at(-1)?.position === String(log.endOffset));
		const [first, ...rest] = seen;
		const missing = JSON.parse(first!.gap!) as ReadingGap[];
		expect(missing).toMatchObject([
			{
				gatewayId: 'pi',
				from: `${log.id}-0`,
				to: `${log.id}-${log.startOffset - 1}`,
				count: log.startOffset,
				reason: 'dropped-oldest',
			},
		]);
		expect(rest.every(({ gap }) => gap === undefined)).toBe(true);
	});
});
