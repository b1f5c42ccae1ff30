import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptConfiguration } from './kept-configuration.ts';

let dir: string;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-kept-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** As a process finds it that has just started. */
const kept = () => KeptConfiguration.open(join(dir, 'a', 'kept'));
const NOW = 1_764_000_000_000;

describe('P11 what is kept of gateway.yaml', () => {
	it('is nothing at first: what stands in the file counts, mistakes and all', () => {
		expect(kept().choose('new', undefined, NOW)).toEqual({ text: 'new' });
		expect(kept().choose('new', 'a mistake', NOW)).toEqual({ text: 'new' });
	});

	it('is what worked: it takes the place of a file with mistakes, and no other', () => {
		kept().confirm('good');
		expect(kept().choose('bad', 'gateway.yaml:1:1: no', NOW)).toEqual({
			text: 'good',
			insteadOf: 'gateway.yaml:1:1: no',
		});
		expect(kept().choose('better', undefined, NOW)).toEqual({ text: 'better' });
	});

	it('takes the place of what was not survived, whoever ended the process', () => {
		kept().confirm('good');
		kept().beginTrial('deadly', NOW);
		const why = 'it was tried and taken back: the gateway ended while it was on trial';
		expect(kept().choose('deadly', undefined, NOW)).toEqual({ text: 'good', insteadOf: why });
		expect(kept().choose('deadly', undefined, NOW)).toEqual({ text: 'good', insteadOf: why });
		expect(kept().choose('mended', undefined, NOW)).toEqual({ text: 'mended' });
	});

	it('has a trial that a stop in order cut short tried again', () => {
		kept().confirm('good');
		kept().beginTrial('new', NOW);
		kept().suspendTrial();
		expect(kept().choose('new', undefined, NOW)).toEqual({ text: 'new' });
	});

	it('remembers over restarts what was taken back, until something else has worked', () => {
		kept().confirm('good');
		kept().beginTrial('new', NOW);
		kept().refuse('new', 'nothing arrives any more', NOW);
		expect(kept().choose('new', undefined, NOW)).toEqual({
			text: 'good',
			insteadOf: 'it was tried and taken back: nothing arrives any more',
		});
		kept().confirm('other');
		expect(kept().choose('new', undefined, NOW)).toEqual({ text: 'new' });
	});
});
