import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadingGap } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BusEntry } from '../bus.ts';
import { entriesOf } from '../redis/entries.ts';
import { EmbeddedBus } from './embedded-bus.ts';
import { GapMarker } from './gap-marker.ts';

describe('the gap before a reading', () => {
	it('is one marker per reason, from the first to the last missing offset, with count and times', () => {
		const marker = new GapMarker('pi', 'log');
		expect(marker.empty).toBe(true);
		marker.add([
			{ from: 0, to: 4, reason: 'consumed' },
			{ from: 5, to: 9, reason: 'thinned', firstAt: 50, lastAt: 90 },
			{ from: 12, to: 12, reason: 'thinned', firstAt: 110, lastAt: 130 },
			{ from: 20, to: 29, reason: 'damaged' },
		]);
		expect(JSON.parse(marker.toJson()) as ReadingGap[]).toEqual([
			{ gatewayId: 'pi', from: 'log-5', to: 'log-12', count: 6, reason: 'thinned', firstAt: 50, lastAt: 130 },
			{ gatewayId: 'pi', from: 'log-20', to: 'log-29', count: 10, reason: 'damaged' },
		]);
		marker.clear();
		expect(marker.empty).toBe(true);
	});

	it('travels in Redis in a field beside the reading, in any order of the fields', () => {
		const raw: [string, string[]][] = [
			['1-0', ['reading', '{}']],
			['2-0', ['reading', '{"a":1}', 'gap', '[1]']],
			['3-0', ['gap', '[2]', 'reading', '{"a":2}']],
		];
		expect(entriesOf(raw, 'reading')).toEqual([
			{ position: '1-0', data: '{}' },
			{ position: '2-0', data: '{"a":1}', gap: '[1]' },
			{ position: '3-0', data: '{"a":2}', gap: '[2]' },
		]);
	});

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
