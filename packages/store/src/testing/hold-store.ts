import { sqliteStores } from '../sqlite/sqlite-store.ts';

/** Opens the store `things` in the folder named by the first argument, says so, and holds it until it is killed. */
const stores = sqliteStores({ dir: process.argv[2]! });
await stores.open('things', { collections: {} });
process.stdout.write('holding\n');
setInterval(() => {}, 1000);
