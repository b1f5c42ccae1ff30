import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sqlite, startSqlite } from './engine.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

let dir: string;
let engine: Sqlite;
beforeAll(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-durable-'));
	engine = startSqlite();
});
afterAll(async () => {
	await engine.close();
	rmSync(dir, { recursive: true });
});

describe('P15 a database of SQLite', () => {
	it('is open with the settings that make a commit durable: WAL, synced at every commit', async () => {
		const plain = await engine.open(join(dir, 'plain.sqlite'));
		const { database: own } = await engine.openOwn(join(dir, 'new', 'own.sqlite'), {
			migrations: MIGRATIONS,
			application: APPLICATION_ID,
		});
		for (const database of [plain, own]) {
			expect(await database.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
			// 2 is FULL: the journal is synced at every commit, not only at checkpoints.
			expect(await database.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
		}
	});
});
