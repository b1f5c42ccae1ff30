import { seedOf } from '@crowdvision/testing/fault-parameters';
import { describe, expect, it } from 'vitest';
import { fuzzApi } from './fuzz.ts';

const SECONDS = 30;

describe('P14 the OpenAPI document', () => {
	it(
		'tells of every answer to every request, valid or not, by every role, and none is a 5xx',
		async () => {
			const seed = seedOf(1 + Math.floor(Math.random() * 999_999));
			process.stdout.write(`fuzz:api: seed ${seed}\n`);
			const report = await fuzzApi({ seconds: SECONDS, seed });
			expect(report.findings, `seed ${seed}`).toEqual([]);
			// Otherwise what was tried were refusals only.
			expect(report.operations - report.neverSucceeded.length, report.neverSucceeded.join(', ')).toBeGreaterThan(20);
		},
		(SECONDS + 120) * 1000,
	);
});
