import { type Mongod, type MongodOptions, startMongod, whyNoMongod } from '@crowdvision/testing/mongod';
import { freePort } from '@crowdvision/testing/ports';
import { waitFor, within } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Stores } from '../store.ts';
import { DEFINITION } from '../testing/conformance-world.ts';
import { mongoStores } from './mongo-store.ts';

const PASSWORD = 's3cret-word';

async function serverOf(options?: MongodOptions): Promise<Mongod> {
	const server = await startMongod(options);
	onTestFinished(() => server.stop());
	return server;
}

function storesAt(url: string, startPatienceMs = 0): { stores: Stores; logged: unknown[] } {
	const logged: unknown[] = [];
	const log = (...args: unknown[]) => void logged.push(args);
	const stores = mongoStores({ url, logger: { info: log, warn: log, error: log }, startPatienceMs });
	onTestFinished(() => stores.close());
	return { stores, logged };
}

describe('a MONGO_URL', () => {
	it.each([
		'',
		'localhost',
		'http://localhost',
		`mongodb:/u:${PASSWORD}@h`,
		`mongodb://u:${PASSWORD}@h/a b`,
		`mongodb://u:${PASSWORD}@`,
	])('that is invalid is refused without being repeated: %s', (url) => {
		expect(() => mongoStores({ url })).toThrow(/MONGO_URL/);
		expect(() => mongoStores({ url })).not.toThrow(PASSWORD);
	});

	it('that only the driver refuses is not repeated either', async () => {
		const { stores, logged } = storesAt(`mongodb://u:${PASSWORD}@127.0.0.1/x?noSuchOption=1`);
		const refused = await stores.open('things', DEFINITION).catch((error: Error) => error);
		expect(refused).toMatchObject({ message: expect.stringContaining('MONGO_URL') });
		expect(JSON.stringify([refused, (refused as Error).message, logged])).not.toContain(PASSWORD);
	});
});

describe.skipIf(whyNoMongod())('a MongoDB server at the start', () => {
	it('is initiated as a replica set of one, even when several services start at once', async () => {
		const server = await serverOf();
		const several = Array.from({ length: 4 }, () => storesAt(`${server.url}/together`));
		const opened = await Promise.all(several.map(({ stores }) => stores.open('things', DEFINITION)));
		await opened[0]!.commit([opened[0]!.collection('notes').insert('a', { n: 1 })]);
		for (const store of opened) expect(await store.collection('notes').get('a')).toMatchObject({ value: { n: 1 } });
		expect(
			several.flatMap(({ logged }) => logged).filter((line) => JSON.stringify(line).includes('replica set of one')),
		).toHaveLength(1);
	});

	it('is refused as a standalone, with instructions', async () => {
		const server = await serverOf({ replicaSet: false });
		await expect(storesAt(server.url).stores.open('things', DEFINITION)).rejects.toThrow(/--replSet/);
	});

	it('is waited for while it is away', async () => {
		const server = await serverOf();
		await server.kill();
		const { stores, logged } = storesAt(server.url, 60_000);
		const opening = stores.open('things', DEFINITION);
		await waitFor('the warning', () => logged.length > 0);
		await server.restart();
		await (await within('the store', opening, 30_000)).close();
	});

	it('is reported without the password when it stays away', async () => {
		const port = await freePort();
		const { stores, logged } = storesAt(`mongodb://somebody:${PASSWORD}@127.0.0.1:${port}/x`);
		const refused = await stores.open('things', DEFINITION).catch((error: Error) => error);
		expect(refused).toMatchObject({ code: 'unavailable', message: `MongoDB at 127.0.0.1:${port} cannot be reached` });
		expect(JSON.stringify(logged)).not.toContain(PASSWORD);
	});

	it('is reported at once when it refuses the user', async () => {
		const server = await serverOf();
		const url = `${server.url.replace('//', `//somebody:${PASSWORD}@`)}/x`;
		const refused = await within(
			'the refusal',
			storesAt(url, 60_000)
				.stores.open('things', DEFINITION)
				.catch((error: Error) => error),
			20_000,
		);
		expect(refused).toMatchObject({
			message: `MongoDB at 127.0.0.1:${server.port} does not accept this user or password`,
		});
	});
});
