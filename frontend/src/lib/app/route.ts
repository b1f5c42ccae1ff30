/** What is on display: a building's rooms, one room's past, or a building being added. */
export const VIEWS = ['rooms', 'room', 'add'] as const;
export type View = (typeof VIEWS)[number];

/** What the address of the page says. */
export interface Place {
	building?: string | undefined;
	view: View;
	/** Of the view `room`. */
	room?: string | undefined;
	/** What of that room's past is shown; what the page cannot make sense of it leaves to itself. */
	metric?: string | undefined;
	range?: string | undefined;
}

const DETAILS = ['building', 'room', 'metric', 'range'] as const;

export function readPlace(search: string): Place {
	const parameters = new URLSearchParams(search);
	const view = VIEWS.find((candidate) => candidate === parameters.get('view')) ?? 'rooms';
	const place: Place = { view };
	for (const key of DETAILS) {
		const value = parameters.get(key);
		if (value !== null) place[key] = value;
	}
	return place;
}

export function writePlace(place: Place): string {
	const parameters = new URLSearchParams();
	for (const key of DETAILS) {
		const value = place[key];
		if (value !== undefined) parameters.set(key, value);
	}
	if (place.view !== 'rooms') parameters.set('view', place.view);
	return `?${parameters.toString()}`;
}

/** The id of a room's card in the page; `#` and this is a link to it. */
export const roomAnchor = (roomId: string) => `room-${encodeURIComponent(roomId)}`;
