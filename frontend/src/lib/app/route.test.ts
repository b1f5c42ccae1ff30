import { describe, expect, it } from 'vitest';
import { parseRoute, type Route, roomAnchor, routeHref } from './route.ts';

describe('the address of the page', () => {
	it.each<Route>([
		{ view: 'rooms' },
		{ building: 'b 1&x=ü', view: 'rooms' },
		{ building: 'b', view: 'add' },
		{ building: 'b', view: 'room', room: 'aula 1', metric: 'co2', range: 'week' },
	])('parses to the route it was written from: %o', (route) => {
		expect(parseRoute(routeHref(route))).toEqual(route);
	});

	it('shows the rooms when it names an unknown view', () => {
		expect(parseRoute('?view=constructor')).toEqual({ view: 'rooms' });
	});

	it('has an anchor without spaces for every room', () => {
		expect(roomAnchor('aula "magna" 1')).not.toMatch(/[\s"]/);
	});
});
