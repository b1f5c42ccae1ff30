import { describe, expect, it } from 'vitest';
import { readPlace, roomAnchor, writePlace } from './place.ts';

describe('the address of the page', () => {
	it.each([
		{ building: undefined, adding: false },
		{ building: 'b 1&x=ü', adding: false },
		{ building: 'b', adding: true },
	])('says the same when it is read as when it was written: %o', (place) => {
		expect(readPlace(writePlace(place))).toEqual(place);
	});

	it('has an anchor without spaces for every room', () => {
		expect(roomAnchor('aula "magna" 1')).not.toMatch(/[\s"]/);
	});
});
