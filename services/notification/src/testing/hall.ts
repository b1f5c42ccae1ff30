import type { RetainedBuilding } from '@crowdvision/contracts';

/** A building with one room for 100 people. */
export const HALL: RetainedBuilding = {
	id: 'museum-1',
	name: 'Museum',
	domains: ['museum'],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
};
