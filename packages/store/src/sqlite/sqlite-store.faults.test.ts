import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreDefinition, Stores } from '../store.ts';
import { type SqliteStoresOptions, sqliteStores } from './sqlite-store.ts';

const DEFINITION: StoreDefinition = { collections: { notes: { indexes: { n: { fields: ['n'], unique: true } } } } };
const NOTES = 400;
const ROUNDS = 48;
const SEED = 20_261_124;
const NEVER = 1e9;

interface Note {
	n: number;
	text: string;
}

let dir: string;
let opened: Stores[];
let errors: { details: Record<string, unknown>; message: string }[];

const logger: PlainLogger = {
	info: () => {},
	warn: () => {},
	error: (details, message) => void errors.push({ details: details as Record<string, unknown>, message }),
};

beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-damage-'));
	opened = [];
	errors = [];
});

afterEach(async () => {
	for (const stores of opened) await stores.close();
	for (const folder of [dir, `${dir}-round`]) await rm(folder, { recursive: true, force: true });
});

async function open(
	backups: SqliteStoresOptions['backups'] = { firstMs: NEVER },
	folder = dir,
): Promise<{ stores: Stores; store: Store }> {
	const stores = sqliteStores({ dir: folder, logger, backups });
	opened.push(stores);
	return { stores, store: await stores.open('things', DEFINITION) };
}

const backups = (folder = dir) => readdirSync(join(folder, 'backups'), { withFileTypes: true }).map(({ name }) => name);
const path = (folder = dir) => join(folder, 'things.sqlite');

async function write(store: Store, from: number, to: number): Promise<void> {
	const notes = store.collection<Note>('notes');
	const numbers = Array.from({ length: to - from }, (_, index) => from + index);
	await store.commit(numbers.map((n) => notes.insert(`note ${n}`, { n, text: `${n} `.repeat(100) })));
}

/** Leaves a closed file with all notes, and a backup with the first half of them. */
async function prepare(): Promise<void> {
	const first = await open();
	await write(first.store, 0, NOTES / 2);
	await first.stores.close();
	const second = await open({ firstMs: 0 });
	await waitFor('a backup', () => backups().some((name) => name.endsWith('.sqlite')));
	await write(second.store, NOTES / 2, NOTES);
	await second.stores.close();
}

const count = async (store: Store) => (await store.collection<Note>('notes').find({ limit: NOTES * 2 })).length;

/** Pseudo-random numbers, the same in every run. */
function random(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

describe('P2 a damaged store', () => {
	it('has automatic backups: from the first start, complete, private, and only the newest', async () => {
		await prepare();
		const [name] = backups();
		expect(backups()).toHaveLength(1);
		expect(name).toMatch(/^things-\d{8}T\d{6}\.\d{3}Z\.sqlite$/);
		expect(statSync(join(dir, 'backups', name!)).mode & 0o777).toBe(0o600);
		const copy = new DatabaseSync(join(dir, 'backups', name!), { readOnly: true });
		expect(copy.prepare('SELECT count(*) AS n FROM "documents of notes"').get()).toEqual({ n: NOTES / 2 });
		copy.close();
		// With a short interval more backups follow, and the oldest are removed.
		const { stores } = await open({ firstMs: 0, everyMs: 20, keep: 2 });
		const seen = new Set<string>();
		await waitFor('several backups', () => {
			for (const one of backups()) seen.add(one);
			return seen.size >= 5 && backups().filter((one) => one.endsWith('.sqlite')).length <= 3;
		});
		await stores.close();
		expect(backups().filter((one) => one.endsWith('.sqlite')).length).toBeLessThanOrEqual(3);
		expect(errors).toEqual([]);
	});

	it('is set aside and its newest good backup restored, with a log of what is lost', async () => {
		await prepare();
		const good = backups()[0]!;
		mkdirSync(join(dir, 'backups'), { recursive: true });
		writeFileSync(join(dir, 'backups', 'things-20990101T000000.000Z.sqlite'), 'a backup that rotted away');
		const damaged = readFileSync(path()).fill(0, 4096, 3 * 4096);
		writeFileSync(path(), damaged);
		const { store } = await open();
		expect(await count(store)).toBe(NOTES / 2);
		expect(await store.trouble()).toBeUndefined();
		await write(store, NOTES / 2, NOTES);
		const aside = readdirSync(dir).find((name) => /^things\.sqlite\.damaged-\d{8}T\d{6}\.\d{3}Z$/.test(name));
		expect(readFileSync(join(dir, aside!))).toEqual(damaged);
		expect(errors).toEqual([
			{
				message: expect.stringContaining('DAMAGED'),
				details: {
					file: 'things.sqlite',
					setAside: aside,
					backup: good,
					lostFrom: expect.any(String),
					lostTo: expect.any(String),
				},
			},
		]);
		const { lostFrom, lostTo } = errors[0]!.details as { lostFrom: string; lostTo: string };
		expect(good.replaceAll(/\D/g, '')).toBe(lostFrom.replaceAll(/\D/g, ''));
		expect(Date.parse(lostTo)).toBeGreaterThanOrEqual(Date.parse(lostFrom));
	});

	it('opens whatever bytes are damaged: with all data, with the backup, or with a refusal that says why', async () => {
		await prepare();
		const below = random(SEED);
		const outcomes = { whole: 0, restored: 0, refused: 0 };
		for (let round = 0; round < ROUNDS; round++) {
			const folder = `${dir}-round`;
			await cp(dir, folder, { recursive: true });
			const bytes = readFileSync(path(folder));
			const at = round % 4 === 0 ? below(100) : below(bytes.length);
			if (round % 3 === 0) bytes[at] = bytes[at]! ^ (1 << below(8));
			if (round % 3 === 1) bytes.fill(0, at, at + 1 + below(8192));
			writeFileSync(path(folder), round % 3 === 2 ? bytes.subarray(0, round === 2 ? 0 : at) : bytes);
			errors = [];
			try {
				const { stores, store } = await open({ firstMs: NEVER }, folder);
				const stored = await Promise.resolve(count(store)).catch((error: { code?: string }) => {
					expect(error).toMatchObject({ code: 'unavailable' });
					return waitFor('the backup', () => count(store));
				});
				expect([NOTES, NOTES / 2], `round ${round}`).toContain(stored);
				if (stored === NOTES / 2) expect(errors, `round ${round}`).toHaveLength(1);
				outcomes[stored === NOTES ? 'whole' : 'restored']++;
				await stores.close();
			} catch (error) {
				// Damage in the eight bytes that hold the application id and the version.
				expect(String(error), `round ${round}`).toMatch(/was not written by this version|newer version/);
				outcomes.refused++;
			}
			await rm(folder, { recursive: true, force: true });
		}
		expect(outcomes.restored).toBeGreaterThan(ROUNDS / 3);
		expect(outcomes.refused).toBeLessThan(ROUNDS / 6);
	});

	it('goes on with its backup when the damage is found while in use', async () => {
		await prepare();
		const { stores, store } = await open();
		await stores.close();
		void store;
		// Larger than what is checked at the start: the damage shows when it is read.
		const file = new DatabaseSync(path());
		file.exec(
			'CREATE TABLE ballast (x BLOB); INSERT INTO ballast VALUES (zeroblob(70000000)); PRAGMA wal_checkpoint(TRUNCATE)',
		);
		const { page } = file
			.prepare(`SELECT rootpage AS page FROM sqlite_schema WHERE name = 'documents of notes'`)
			.get() as { page: number };
		file.close();
		const bytes = readFileSync(path());
		bytes.fill(0xee, (page - 1) * 4096, page * 4096);
		writeFileSync(path(), bytes);
		const again = await open();
		expect(errors).toEqual([]);
		await expect(again.store.collection('notes').get('note 7')).rejects.toMatchObject({ code: 'unavailable' });
		await waitFor('the backup', async () => (await again.store.collection('notes').get('note 7')) !== undefined);
		expect(await count(again.store)).toBe(NOTES / 2);
		expect(errors).toHaveLength(1);
	});

	it('is noticed even if only one character of a document changed', async () => {
		await prepare();
		const bytes = readFileSync(path());
		const at = bytes.indexOf('"text":"17 17');
		bytes[at + 8] = bytes[at + 8]! ^ 1;
		writeFileSync(path(), bytes);
		const { store } = await open();
		await expect(store.collection('notes').get('note 17')).rejects.toMatchObject({ code: 'unavailable' });
		await waitFor('the backup', async () =>
			(await store.collection<Note>('notes').get('note 17'))?.value.text.startsWith('17 17'),
		);
		expect(errors).toHaveLength(1);
	});

	it('stays as it is without a backup, and is refused: starting over is for a person to decide', async () => {
		const { store, stores } = await open();
		await write(store, 0, NOTES);
		await stores.close();
		truncateSync(path(), 8192);
		const bytes = readFileSync(path());
		await expect(open()).rejects.toMatchObject({
			code: 'unavailable',
			message: expect.stringMatching(/things\.sqlite is damaged/),
		});
		expect(readFileSync(path())).toEqual(bytes);
	});

	it('cannot come from two processes: the second one is refused, and a killed one holds no lock', async () => {
		const holder = await startNode('packages/store/src/testing/hold-store.ts', { args: [dir], ready: /holding/ });
		try {
			await expect(open()).rejects.toThrow(`things.sqlite is in use by process ${holder.pid}`);
		} finally {
			await holder.kill();
		}
		const { store } = await open();
		await write(store, 0, 1);
	});

	it('of an earlier layout is refused with instructions, and left as it is', async () => {
		const old = new DatabaseSync(path());
		old.exec('CREATE TABLE buildings (id TEXT PRIMARY KEY); PRAGMA user_version = 1');
		old.close();
		const bytes = readFileSync(path());
		await expect(open()).rejects.toThrow(/things\.sqlite was not written by this version.*Move it away/s);
		expect(readFileSync(path())).toEqual(bytes);
	});
});
