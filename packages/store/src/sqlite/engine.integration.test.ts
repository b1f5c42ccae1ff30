import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Sqlite, startSqlite } from './engine.ts';

let folder: string;
let sqlite: Sqlite;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'crowdvision-store-'));
	sqlite = startSqlite();
});

afterEach(async () => {
	await sqlite.close();
	rmSync(folder, { recursive: true, force: true });
});

const NAMES = ['CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)'];
const WRITTEN = ['-- the schema of writer.fixture.ts, which has created it by now'];
const open = () => sqlite.open(join(folder, 'names.sqlite'), NAMES);
const count = async (database: Awaited<ReturnType<typeof open>>) =>
	(await database.get<{ n: number }>('SELECT count(*) AS n FROM names'))!.n;

describe('SQLite in one worker', () => {
	it('keeps what it acknowledged through kill -9, and never half a transaction', async () => {
		const path = join(folder, 'killed.sqlite');
		let acknowledged = 0;
		for (let round = 0; round < 5; round++) {
			const child = spawn(process.execPath, [new URL('./writer.fixture.ts', import.meta.url).pathname, path], {
				stdio: ['ignore', 'pipe', 'inherit'],
			});
			const exited = new Promise((resolve) => child.once('exit', resolve));
			const stopAt = acknowledged + 20 + round * 7;
			for await (const line of createInterface(child.stdout)) {
				acknowledged = Number(line);
				if (acknowledged >= stopAt) child.kill('SIGKILL');
			}
			await exited;
			const database = await sqlite.open(path, WRITTEN);
			const stored = await database.get<{ n: number; last: number; torn: number }>(
				'SELECT count(*) AS n, max(n) AS last, count(*) FILTER (WHERE half = 1) AS torn FROM kept',
			);
			await database.close();
			expect(stored!.last).toBeGreaterThanOrEqual(acknowledged);
			expect(stored).toMatchObject({ n: stored!.last, torn: 0 });
		}
		expect(acknowledged).toBeGreaterThanOrEqual(100);
	});

	it('reports a conflict for a violated unique constraint, without the value', async () => {
		const database = await open();
		await database.run('INSERT INTO names (name) VALUES (?)', ['ada']);
		await expect(database.run('INSERT INTO names (name) VALUES (?)', ['ada'])).rejects.toMatchObject({
			code: 'conflict',
			message: 'It exists already',
		});
		await expect(database.run('INSERT INTO names (id, name) VALUES (1, ?)', ['bob'])).rejects.toMatchObject({
			code: 'conflict',
		});
	});

	it('rolls a transaction back as a whole when one of its statements throws, and goes on', async () => {
		const database = await open();
		const insert = 'INSERT INTO names (name) VALUES (?)';
		await expect(
			database.transaction([
				{ sql: insert, many: [['a'], ['b']] },
				{ sql: insert, params: ['a'] },
			]),
		).rejects.toMatchObject({ code: 'conflict' });
		await expect(
			database.transaction([{ sql: insert, params: ['c'] }, { sql: 'INSERT INTO nowhere VALUES (1)' }]),
		).rejects.toThrow(/no such table/);
		expect(await count(database)).toBe(0);
		const [inserted, listed] = await database.transaction([
			{ sql: insert, many: [['a'], ['b']] },
			{ sql: 'SELECT name FROM names ORDER BY name' },
		]);
		expect(inserted!.changes).toBe(2);
		expect(listed!.rows).toEqual([{ name: 'a' }, { name: 'b' }]);
	});

	it('rolls back a single statement with many parameter sets', async () => {
		const database = await open();
		await expect(
			database.transaction([{ sql: 'INSERT INTO names (name) VALUES (?)', many: [['a'], ['a']] }]),
		).rejects.toMatchObject({
			code: 'conflict',
		});
		expect(await count(database)).toBe(0);
	});

	it('applies each migration once, and refuses a file of a newer version', async () => {
		const path = join(folder, 'versions.sqlite');
		const second = [...NAMES, "INSERT INTO names (name) VALUES ('by migration')"];
		await (await sqlite.open(path, NAMES)).close();
		await (await sqlite.open(path, second)).close();
		const database = await sqlite.open(path, second);
		expect(await count(database)).toBe(1);
		await database.close();
		await expect(sqlite.open(path, NAMES)).rejects.toThrow(/newer version/);
	});

	it('leaves no trace of a migration that fails', async () => {
		const path = join(folder, 'failed.sqlite');
		await expect(sqlite.open(path, [`${NAMES[0]}; INSERT INTO nowhere VALUES (1)`])).rejects.toThrow(/no such table/);
		expect(await count(await sqlite.open(path, NAMES))).toBe(0);
	});

	it('enforces foreign keys, as a mistake in the program rather than a conflict', async () => {
		const database = await sqlite.open(join(folder, 'keys.sqlite'), [
			'CREATE TABLE parents (id INTEGER PRIMARY KEY); ' +
				'CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents(id))',
		]);
		const refused = database.run('INSERT INTO children (parent) VALUES (1)');
		await expect(refused).rejects.toThrow(/FOREIGN KEY/);
		await expect(refused).rejects.not.toHaveProperty('code');
	});

	it('makes files that only their owner can read, journal included', async () => {
		const database = await open();
		await database.run('INSERT INTO names (name) VALUES (?)', ['ada']);
		for (const file of ['names.sqlite', 'names.sqlite-wal'])
			expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
	});

	it('refuses requests beyond the number that may wait, and serves the others', async () => {
		const database = await open();
		const outcomes = await Promise.allSettled(
			Array.from({ length: 1500 }, (_, n) => database.run('INSERT INTO names (name) VALUES (?)', [`n${n}`])),
		);
		const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
		expect(refused).toHaveLength(500);
		for (const { reason } of refused) expect(reason).toMatchObject({ code: 'unavailable', retryAfter: 1 });
		expect(await count(database)).toBe(1000);
	});

	it('survives a worker that ran out of memory: waiting requests are refused, the next one works', async () => {
		const database = await open();
		await database.run('INSERT INTO names (name) VALUES (?)', ['kept']);
		const greedy = database.all(
			`WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many LIMIT 4000)
				SELECT hex(zeroblob(50000)) || n FROM many`,
		);
		await expect(greedy).rejects.toMatchObject({ code: 'unavailable' });
		expect(await count(database)).toBe(1);
	});

	it('reports a file that is not a database, without its path', async () => {
		const path = join(folder, 'torn.sqlite');
		writeFileSync(path, 'this is not a database, and long enough to show it'.repeat(100));
		await expect(sqlite.open(path)).rejects.toMatchObject({
			code: 'unavailable',
			message: 'torn.sqlite is not a database, or is damaged',
		});
	});

	it('finishes the requests under way when it closes, and refuses later ones', async () => {
		const database = await open();
		const last = database.run('INSERT INTO names (name) VALUES (?)', ['last']);
		await sqlite.close();
		await expect(last).resolves.toBe(1);
		await expect(database.run('INSERT INTO names (name) VALUES (?)', ['late'])).rejects.toMatchObject({
			code: 'unavailable',
		});
		await expect(database.close()).resolves.toBeUndefined();
	});
});
