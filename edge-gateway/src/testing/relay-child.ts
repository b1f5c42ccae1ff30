/** A process to be killed: relays the log in a folder to Redis. Arguments: folder, URL of Redis. */
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { Relay } from '../log/relay.ts';

const [dir, url] = process.argv.slice(2) as [string, string];
const log = await Log.open({ dir, worker: startCommitWorker() });
const logger = createLogger('relay', 'silent');
new Relay({ log, url, gatewayId: 'pi', field: 'reading', logger, trim: async () => ({}) }).start();
process.stdout.write('ready\n');
