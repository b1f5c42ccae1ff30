import { sqliteStores } from '../sqlite/sqlite-store.ts';

/** Opens the store `things` in the folder given as argument, prints `holding`, and runs until it is killed. */
const stores = sqliteStores({ dir: process.argv[2]! });
await stores.open('things', { collections: {} });
process.stdout.write('holding\n');
setInterval(() => {}, 1000);
