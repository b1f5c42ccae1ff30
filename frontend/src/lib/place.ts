/** What the address of the page says: which building is on display, and whether one is being added. */
export interface Place {
	building: string | undefined;
	adding: boolean;
}

export function readPlace(search: string): Place {
	const parameters = new URLSearchParams(search);
	return { building: parameters.get('building') ?? undefined, adding: parameters.has('add') };
}

export function writePlace({ building, adding }: Place): string {
	const parameters = new URLSearchParams();
	if (building !== undefined) parameters.set('building', building);
	if (adding) parameters.set('add', '1');
	return `?${parameters.toString()}`;
}

/** The id of a room's card in the page; `#` and this is a link to it. */
export const roomAnchor = (roomId: string) => `room-${encodeURIComponent(roomId)}`;
