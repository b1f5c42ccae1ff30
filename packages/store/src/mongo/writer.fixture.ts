import { once } from 'node:events';
import { NO_LOGGER } from '@crowdvision/service-kit/plain-logger';
import { MongoLink } from './link.ts';

/**
 * Changes the document `b` in a transaction. Arguments: the URL of the database, and the collection. Prints `written`,
 * commits on SIGUSR2, prints `committed <attempts>`, and ends.
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
