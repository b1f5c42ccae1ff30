import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_LOGGER } from '@crowdvision/service-kit/plain-logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allDocuments, documentPages } from './document-pages.ts';
import type { Collection, Store } from './store.ts';
import { openStores } from './stores.ts';

interface Room {
	buildingId: string;
	roomId: string;
}

let dataDir: string;
let store: Store;
let rooms: Collection<Room>;

beforeEach(async () => {
	dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-pages-'));
	const stores = await openStores({ dataDir, logger: NO_LOGGER });
	store = await stores.open('pages', {
		collections: { rooms: { indexes: { of: { fields: ['buildingId', 'roomId'] } } } },
	});
	rooms = store.collection('rooms');
});
afterEach(async () => {
	await store.close();
	await rm(dataDir, { recursive: true, force: true });
});

const insert = (buildingId: string, count: number) =>
	store.commit(
		Array.from({ length: count }, (_, n) => ({ buildingId, roomId: `r${n}` })).map((room) =>
			rooms.insert(`${room.buildingId}/${room.roomId}`, room),
		),
	);
const query = { where: { buildingId: 'museum' }, by: 'roomId', pageSize: 2 } as const;

describe('documentPages', () => {
	it.each([
		[0, []],
		[2, [2]],
		[5, [2, 2, 1]],
	])('reads %i matching documents in pages of %j, in order and each once', async (count, sizes) => {
		await insert('museum', count);
		await insert('zoo', 3);
		const pages: string[][] = [];
		for await (const page of documentPages(rooms, query)) pages.push(page.map(({ value }) => value.roomId));
		expect(pages.map((page) => page.length)).toEqual(sizes);
		expect(pages.flat()).toEqual(Array.from({ length: count }, (_, n) => `r${n}`));
	});

	it('reads them into one list with allDocuments', async () => {
		await insert('museum', 5);
		expect((await allDocuments(rooms, query)).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map((n) => `museum/r${n}`));
	});
});
