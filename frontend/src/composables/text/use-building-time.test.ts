import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ref } from 'vue';
import { mount } from '../../testing/mount.ts';
import { useBuildingTime } from './use-building-time.ts';

const NOON = Date.UTC(2026, 6, 1, 12);

beforeEach(() => {
	vi.stubGlobal('navigator', { languages: ['en-GB', 'it-IT'] });
	onTestFinished(() => void vi.unstubAllGlobals());
});

describe('times of a building', () => {
	it('are those of its own time zone, wherever the reader is', () => {
		const zone = ref('Europe/Rome');
		const { result: time } = mount(() => useBuildingTime(() => zone.value));
		expect(time.full(NOON)).toContain('14:00');
		zone.value = 'America/New_York';
		expect(time.full(NOON)).toContain('08:00');
	});

	it('are in the language of the reader', () => {
		const { result: time, locale } = mount(() => useBuildingTime(() => 'Europe/Rome'));
		expect(time.full(NOON)).toMatch(/^Wed.*1 Jul/);
		locale.value = 'it';
		expect(time.full(NOON)).toMatch(/^mer.*1 lug/);
	});

	it('are as short under a plot as its time span allows', () => {
		const { result: time } = mount(() => useBuildingTime(() => 'Europe/Rome'));
		expect([time.tick(NOON, 'day'), time.tick(NOON, 'week'), time.tick(NOON, 'month')]).toEqual([
			'14:00',
			'Wed 1',
			'1 Jul',
		]);
	});
});
