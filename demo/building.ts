import type { Building } from '@crowdvision/contracts';

/** The room without a sensor: it shows "no data" until a visitor sends readings. */
export const VISITOR_ROOM = 'studio';

/** The domain that owns the building. */
export const DEMO_DOMAIN = 'demo';

const room = (
	id: string,
	name: string,
	capacity: number,
	floor: number,
	x: number,
	z: number,
	width: number,
	depth: number,
) => ({
	id,
	name,
	capacity,
	floor,
	position: { x, y: floor * 3.5 + 1.5, z },
	dimensions: { width, height: 3, depth },
	maxTemperature: 28,
});

/** The building of the demo: two floors of a small institute. */
export const DEMO_BUILDING: Building & { domains: string[] } = {
	id: 'demo',
	name: 'Demo institute',
	domains: [DEMO_DOMAIN],
	rooms: [
		room('hall', 'Main hall', 120, 0, 0, 0, 18, 12),
		room('cafe', 'Café', 60, 0, 15, 0, 10, 12),
		room('library', 'Library', 80, 0, -15, 0, 10, 12),
		room('lab-1', 'Lab 1', 30, 1, -12, -3, 8, 6),
		room('lab-2', 'Lab 2', 24, 1, -3, -3, 8, 6),
		room('meeting', 'Meeting room', 12, 1, 6, -3, 6, 6),
		room(VISITOR_ROOM, 'Studio', 10, 1, 14, -3, 6, 6),
	],
};
