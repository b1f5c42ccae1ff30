import type { ReadingGap } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { entriesOf } from '../redis/entries.ts';
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
});
