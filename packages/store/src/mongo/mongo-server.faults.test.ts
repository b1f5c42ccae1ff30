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

function storesAt(url: string, startPatienceMs = 0): { stores: Stores; said: unknown[] } {
	const said: unknown[] = [];
	const say = (...args: unknown[]) => void said.push(args);
	const stores = mongoStores({ url, logger: { info: say, warn: say, error: say }, startPatienceMs });
	onTestFinished(() => stores.close());
	return { stores, said };
}

describe('a MONGO_URL', () => {
	it.each([
		'',
		'localhost',
		'http://localhost',
		`mongodb:/u:${PASSWORD}@h`,
		`mongodb://u:${PASSWORD}@h/a b`,
		`mongodb://u:${PASSWORD}@`,
	])('that is none is refused without repeating it: %s', (url) => {
		expect(() => mongoStores({ url })).toThrow(/MONGO_URL/);
		expect(() => mongoStores({ url })).not.toThrow(PASSWORD);
	});

	it('that only the driver refuses is not repeated either', async () => {
		const { stores, said } = storesAt(`mongodb://u:${PASSWORD}@127.0.0.1/x?noSuchOption=1`);
		const refused = await stores.open('things', DEFINITION).catch((error: Error) => error);
		expect(refused).toMatchObject({ message: expect.stringContaining('MONGO_URL') });
		expect(JSON.stringify([refused, (refused as Error).message, said])).not.toContain(PASSWORD);
	});
});

describe.skipIf(whyNoMongod())('a MongoDB server at the start', () => {
	it('becomes a replica set of one, also when several services come at once', async () => {
		const server = await serverOf();
		const several = Array.from({ length: 4 }, () => storesAt(`${server.url}/together`));
		const opened = await Promise.all(several.map(({ stores }) => stores.open('things', DEFINITION)));
		await opened[0]!.commit([opened[0]!.collection('notes').insert('a', { n: 1 })]);
		for (const store of opened) expect(await store.collection('notes').get('a')).toMatchObject({ value: { n: 1 } });
		expect(
			several.flatMap(({ said }) => said).filter((line) => JSON.stringify(line).includes('replica set of one')),
		).toHaveLength(1);
	});

	it('that runs alone is refused with what to do', async () => {
		const server = await serverOf({ replicaSet: false });
		await expect(storesAt(server.url).stores.open('things', DEFINITION)).rejects.toThrow(/--replSet/);
	});

	it('that is away is waited for', async () => {
		const server = await serverOf();
		await server.kill();
		const { stores, said } = storesAt(server.url, 60_000);
		const opening = stores.open('things', DEFINITION);
		await waitFor('the warning', () => said.length > 0);
		await server.restart();
		await (await within('the store', opening, 30_000)).close();
	});

	it('that stays away is told without the password', async () => {
		const port = await freePort();
		const { stores, said } = storesAt(`mongodb://somebody:${PASSWORD}@127.0.0.1:${port}/x`);
		const refused = await stores.open('things', DEFINITION).catch((error: Error) => error);
		expect(refused).toMatchObject({ code: 'unavailable', message: `MongoDB at 127.0.0.1:${port} cannot be reached` });
		expect(JSON.stringify(said)).not.toContain(PASSWORD);
	});

	it('that does not know the user says so at once', async () => {
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
			message: `MongoDB at 127.0.0.1:${server.port} does not take this user or password`,
		});
	});
});
