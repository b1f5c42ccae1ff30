/**
 * The views of the page: the rooms of a building, the history of one room, the form that adds a building, one's own
 * account, the members of a domain.
 */
export const VIEWS = ['rooms', 'room', 'add', 'account', 'members'] as const;
export type View = (typeof VIEWS)[number];

/** The address of the page as an object. */
export interface Route {
	/** Id of a building. */
	building?: string | undefined;
	view: View;
	/** Id of a room, for the view `room`. */
	room?: string | undefined;
	/** For the view `room`: metric and time span on display. A value the view does not know means its default. */
	metric?: string | undefined;
	range?: string | undefined;
}

const PARAMETERS = ['building', 'room', 'metric', 'range'] as const;

/** Parses the query string of an address; an unknown view means `rooms`. */
export function parseRoute(search: string): Route {
	const query = new URLSearchParams(search);
	const view = VIEWS.find((candidate) => candidate === query.get('view')) ?? 'rooms';
	const route: Route = { view };
	for (const key of PARAMETERS) {
		const value = query.get(key);
		if (value !== null) route[key] = value;
	}
	return route;
}

/** The query string of a route, to be used as a link; the inverse of `parseRoute`. */
export function routeHref(route: Route): string {
	const query = new URLSearchParams();
	for (const key of PARAMETERS) {
		const value = route[key];
		if (value !== undefined) query.set(key, value);
	}
	if (route.view !== 'rooms') query.set('view', route.view);
	return `?${query.toString()}`;
}

/** The element id of a room's card; a link to `#` and this id leads to the card. */
export const roomAnchor = (roomId: string) => `room-${encodeURIComponent(roomId)}`;
