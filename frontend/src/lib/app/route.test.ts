import { describe, expect, it } from 'vitest';
import { type Place, readPlace, roomAnchor, writePlace } from './route.ts';

describe('the address of the page', () => {
	it.each<Place>([
		{ view: 'rooms' },
		{ building: 'b 1&x=ü', view: 'rooms' },
		{ building: 'b', view: 'add' },
		{ building: 'b', view: 'room', room: 'aula 1', metric: 'co2', range: 'week' },
	])('says the same when it is read as when it was written: %o', (place) => {
		expect(readPlace(writePlace(place))).toEqual(place);
	});

	it('shows the rooms where it says what there is not', () => {
		expect(readPlace('?view=constructor')).toEqual({ view: 'rooms' });
	});

	it('has an anchor without spaces for every room', () => {
		expect(roomAnchor('aula "magna" 1')).not.toMatch(/[\s"]/);
	});
});
