import { mkdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import {
	breakDown,
	fillUp,
	mend,
	mountable,
	mountFile,
	mountMemory,
	unmount,
} from '@crowdvision/testing/failing-disks';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreDefinition, Stores } from '../store.ts';
import { sqliteStores } from './sqlite-store.ts';

const DEFINITION: StoreDefinition = { collections: { notes: { indexes: { n: { fields: ['n'], unique: true } } } } };
const MAX_NOTES = 20_000;
const logger: PlainLogger = { info: () => {}, warn: () => {}, error: () => {} };
const can = mountable();

let dir: string;
let disk: string;
let stores: Stores | undefined;
let store: Store;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-store-disk-'));
	disk = join(dir, 'disk');
	mkdirSync(disk);
});
afterEach(async () => {
	await stores?.close().catch(() => undefined);
	stores = undefined;
	unmount(disk);
	await rm(dir, { recursive: true, force: true });
});

async function open(): Promise<void> {
	stores = sqliteStores({ dir: disk, logger, backups: { firstMs: 1e9 } });
	store = await stores.open('things', DEFINITION);
}

/** Commits notes one by one, and adds their numbers to `committed`, until one is refused. Resolves with the refusal. */
async function writeUntilRefused(committed: number[], from: number, count = MAX_NOTES): Promise<unknown> {
	const notes = store.collection<{ n: number; text: string }>('notes');
	for (let n = from; n < from + count; n++) {
		try {
			await store.commit([notes.insert(`note ${n}`, { n, text: `${n} `.repeat(200) })]);
		} catch (error) {
			return error;
		}
		committed.push(n);
	}
	return undefined;
}

async function stored(): Promise<number[]> {
	const found = await store.collection<{ n: number }>('notes').find({ order: { by: 'n' }, limit: MAX_NOTES });
	return found.map(({ value }) => value.n);
}

describe('P15 a store of SQLite on a disk that fails', () => {
	it.skipIf(!can.memory)(
		'refuses what does not fit, keeps what it committed, and goes on when there is room',
		async () => {
			mountMemory(disk, 8);
			await open();
			const committed: number[] = [];
			expect(await writeUntilRefused(committed, 0, 20)).toBeUndefined();
			const filler = fillUp(disk);
			expect(await writeUntilRefused(committed, 20)).toMatchObject({ code: 'unavailable' });
			expect(await stored()).toEqual(committed);
			rmSync(filler);
			await waitFor(
				'room',
				async () => (await writeUntilRefused(committed, 30_000 + committed.length, 1)) === undefined,
			);
			expect(await writeUntilRefused(committed, 50_000, 20)).toBeUndefined();
			await stores!.close();
			await open();
			expect(await stored()).toEqual(committed);
		},
	);

	it.skipIf(!can.file)(
		'refuses everything on a disk that turned read-only, and has all on the mended one',
		async () => {
			const image = join(dir, 'image');
			mountFile(disk, image);
			await open();
			const committed: number[] = [];
			expect(await writeUntilRefused(committed, 0, 20)).toBeUndefined();
			breakDown(disk);
			expect(await writeUntilRefused(committed, 20, 5)).toMatchObject({ code: 'unavailable' });
			expect(committed).toHaveLength(20);
			await stores!.close().catch(() => undefined);
			stores = undefined;
			mend(disk, image);
			await open();
			expect(await stored()).toEqual(committed);
			expect(await writeUntilRefused(committed, 100, 5)).toBeUndefined();
		},
	);
});
