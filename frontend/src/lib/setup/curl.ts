/** Quotes `text` as one word of a POSIX shell. */
function shellQuote(text: string): string {
	return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A command, ready to paste into a shell, that sends a first reading of the room to the gateway of the site at `site`.
 */
export function firstReadingCurl(site: string, token: string, buildingId: string, roomId: string): string {
	const reading = JSON.stringify({ sensorId: 'door-1', metric: 'peopleCount', value: 23, buildingId, roomId });
	return [
		`curl -X POST ${shellQuote(`${site}/ingest`)} \\`,
		`  -H ${shellQuote(`Authorization: Bearer ${token}`)} \\`,
		`  -H 'Content-Type: application/json' \\`,
		`  -d ${shellQuote(reading)}`,
	].join('\n');
}
