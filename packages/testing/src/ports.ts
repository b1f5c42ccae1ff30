import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range Linux takes ports from by itself, so that no outgoing connection and no `listen(0)` can come between.
 */
const FIRST = 20_000;
const LAST = 32_000;
const given = new Set<number>();

/**
 * A loopback TCP port that nothing listens on, for programs that cannot be told to take any free one.
 * Never given twice by this process.
 */
export async function freePort(): Promise<number> {
	for (let attempt = 0; attempt < 100; attempt++) {
		const port = randomInt(FIRST, LAST);
		if (!given.has(port) && (await canListen(port))) {
			given.add(port);
			return port;
		}
	}
	throw new Error(`No free port between ${FIRST} and ${LAST} in 100 tries`);
}

function canListen(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(false));
		server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
	});
}
