import type { Building } from '@crowdvision/contracts';

/** A small building that fills the form as an example. `position` is the centre of a room in metres, `y` is up. */
export function exampleBuilding(domain: string | undefined): Building {
	return {
		id: 'my-building',
		name: 'My building',
		...(domain !== undefined && { domains: [domain] }),
		rooms: [
			{
				id: 'hall',
				name: 'Hall',
				capacity: 100,
				floor: 0,
				position: { x: 6, y: 1.5, z: 5 },
				dimensions: { width: 12, height: 3, depth: 10 },
			},
			{
				id: 'library',
				name: 'Library',
				capacity: 40,
				floor: 1,
				position: { x: 5, y: 4.5, z: 4 },
				dimensions: { width: 10, height: 3, depth: 8 },
			},
		],
	};
}
