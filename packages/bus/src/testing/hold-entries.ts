/**
 * A consumer that takes entries and never acknowledges them, to be killed while it holds them. Arguments: `redis` and a
 * URL, or `embedded` and a folder; then stream, group and member. Prints `holding <JSON array of their data>` per
 * batch. With a sixth argument it acknowledges, but kills itself when it gets an entry with that data.
 */
import type { StreamName } from '@crowdvision/contracts';
import type { Bus } from '../bus.ts';
import { RedisBus } from '../redis/redis-bus.ts';
import { openEmbeddedBackend } from './embedded-backend.ts';

const [kind, place, stream, group, member, deadly] = process.argv.slice(2) as [
	string,
	string,
	StreamName,
	string,
	string,
	string?,
];
const bus: Bus = kind === 'redis' ? new RedisBus({ url: place }) : (await openEmbeddedBackend(place)).bus;
await bus.consume(stream, group, { member, claimAfterMs: 300, maxAttempts: 4 }, async (entries) => {
	if (deadly !== undefined && entries.some(({ data }) => data === deadly)) process.kill(process.pid, 'SIGKILL');
	process.stdout.write(`holding ${JSON.stringify(entries.map(({ data }) => data))}\n`);
	if (deadly === undefined) await new Promise(() => undefined);
});
