const room = (id: string, capacity: number, x: number, more: object = {}) => ({
	id,
	capacity,
	position: { x, y: 1.5, z: 0 },
	dimensions: { width: 8, height: 3, depth: 6 },
	...more,
});

/** Of the domain `north`. */
export const LYCEUM = {
	id: 'lyceum',
	name: 'Lyceum',
	domains: ['north'],
	timeZone: 'Europe/Rome',
	rooms: [
		room('hall', 10, 0, { name: 'Great hall', floor: 0, color: '#3366cc' }),
		room('lab', 20, 10, { floor: 1, maxTemperature: 30 }),
		room('attic', 5, 20, { floor: 'top' }),
	],
};

/** Of `north/annex`, a subdomain. */
export const ANNEX = { id: 'annex', name: 'The annex', domains: ['north/annex'], rooms: [room('studio', 8, 0)] };

/** Of `south`. */
export const MILL = {
	id: 'mill',
	name: 'Mill',
	domains: ['south'],
	timeZone: 'America/New_York',
	rooms: [room('floor', 50, 0), room('loft', 4, 10)],
};

export const LYCEUM_LIMITS = {
	building: { temperature: { max: 27, severity: 'warning' }, co2: { max: 1200 } },
	rooms: { lab: { co2: { max: 900, severity: 'critical' } } },
};

export const MILL_LIMITS = { building: { temperature: { min: 5, max: 30, dwellSeconds: 0 } }, rooms: {} };

export const LYCEUM_COLUMNS = ['co2', 'peopleCount', 'temperature'];
