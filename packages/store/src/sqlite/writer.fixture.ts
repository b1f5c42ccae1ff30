import { startSqlite } from './engine.ts';

/** Writes one row after the other to the database at the path given, and prints the number of each acknowledged row. */
const database = await startSqlite().open(process.argv[2]!, [
	'CREATE TABLE kept (n INTEGER PRIMARY KEY, half INTEGER NOT NULL)',
]);
const { last } = (await database.get<{ last: number }>('SELECT coalesce(max(n), 0) AS last FROM kept'))!;
for (let n = last + 1; ; n++) {
	await database.transaction([
		{ sql: 'INSERT INTO kept (n, half) VALUES (?, 1)', params: [n] },
		{ sql: 'UPDATE kept SET half = 2 WHERE n = ?', params: [n] },
	]);
	process.stdout.write(`${n}\n`);
}
