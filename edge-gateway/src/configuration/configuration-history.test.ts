import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigurationHistory } from './configuration-history.ts';

let dir: string;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-history-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** As a process that has just started finds it. */
const history = () => ConfigurationHistory.open(join(dir, 'a', 'configuration'));
const NOW = 1_764_000_000_000;

describe('P11 the history of gateway.yaml', () => {
	it('is empty at first, so that the file counts, even with mistakes', () => {
		expect(history().choose('new', undefined, NOW)).toEqual({ text: 'new' });
		expect(history().choose('new', 'a mistake', NOW)).toEqual({ text: 'new' });
	});

	it('replaces a file with mistakes by the text that worked, and no other file', () => {
		history().confirm('good');
		expect(history().choose('bad', 'gateway.yaml:1:1: no', NOW)).toEqual({
			text: 'good',
			insteadOf: 'gateway.yaml:1:1: no',
		});
		expect(history().choose('better', undefined, NOW)).toEqual({ text: 'better' });
	});

	it('replaces a text that the gateway did not survive, however the process ended', () => {
		history().confirm('good');
		history().beginTrial('deadly', NOW);
		const why = 'it was tried and undone: the gateway ended while it was on trial';
		expect(history().choose('deadly', undefined, NOW)).toEqual({ text: 'good', insteadOf: why });
		expect(history().choose('deadly', undefined, NOW)).toEqual({ text: 'good', insteadOf: why });
		expect(history().choose('mended', undefined, NOW)).toEqual({ text: 'mended' });
	});

	it('repeats a trial that an orderly stop cut short', () => {
		history().confirm('good');
		history().beginTrial('new', NOW);
		history().suspendTrial();
		expect(history().choose('new', undefined, NOW)).toEqual({ text: 'new' });
	});

	it('remembers over restarts what was undone, until another text has worked', () => {
		history().confirm('good');
		history().beginTrial('new', NOW);
		history().refuse('new', 'no readings arrive any more', NOW);
		expect(history().choose('new', undefined, NOW)).toEqual({
			text: 'good',
			insteadOf: 'it was tried and undone: no readings arrive any more',
		});
		history().confirm('other');
		expect(history().choose('new', undefined, NOW)).toEqual({ text: 'new' });
	});
});
