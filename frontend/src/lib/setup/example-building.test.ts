import { buildingProblems } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { exampleBuilding } from './example-building.ts';

describe('the example building', () => {
	it('is accepted by the schema that the services validate with', () => {
		expect(buildingProblems(exampleBuilding('campus'))).toEqual([]);
		expect(buildingProblems(exampleBuilding(undefined))).toEqual([]);
	});
});
