import { once } from 'node:events';
import { NO_LOGGER } from '@crowdvision/service-kit/plain-logger';
import { MongoLink } from './mongo-link.ts';

/**
 * Changes document `b` of the collection named by the second argument, in the database that the first one names, in a
 * transaction; says `written`, and commits when it is sent SIGUSR2. Says `committed <attempts>`, and ends.
 */
const [url, collection] = process.argv.slice(2);
const link = new MongoLink({ url: url!, logger: NO_LOGGER, startPatienceMs: 10_000 });
const goOn = once(process, 'SIGUSR2');
let attempts = 0;
await link.transaction(async (database, session) => {
	attempts++;
	const documents = database.collection<{ _id: string }>(collection!);
	const count = () => documents.updateOne({ _id: 'b' }, { $inc: { 'd.age': 100 } }, { session });
	await count();
	if (attempts === 1) process.stdout.write('written\n');
	await goOn;
	await count();
});
process.stdout.write(`committed ${attempts}\n`);
await link.close();
