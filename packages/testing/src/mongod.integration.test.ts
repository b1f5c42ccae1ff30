import { existsSync } from 'node:fs';
import { createConnection } from 'mongoose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startMongod, whyNoMongod } from './mongod.ts';

async function write(url: string, value: string): Promise<string[]> {
	const connection = await createConnection(`${url}/kept`, {
		directConnection: true,
		serverSelectionTimeoutMS: 2000,
	}).asPromise();
	try {
		const values = connection.collection<{ value: string }>('values');
		await values.insertOne({ value }, { writeConcern: { j: true } });
		return (await values.find().toArray()).map((document) => document.value);
	} finally {
		await connection.close();
	}
}

describe.skipIf(whyNoMongod())('startMongod', () => {
	it('resolves once it answers, keeps what it acknowledged through kill -9, and leaves nothing behind', async () => {
		const server = await startMongod({ replicaSet: false });
		onTestFinished(() => server.stop());
		expect(await write(server.url, 'one')).toEqual(['one']);
		const { pid } = server;
		await server.kill();
		await expect(write(server.url, 'lost')).rejects.toThrow();
		await server.restart();
		expect(server.pid).not.toBe(pid);
		expect(await write(server.url, 'two')).toEqual(['one', 'two']);
		await server.stop();
		expect(existsSync(server.dir)).toBe(false);
		expect(existsSync(`/proc/${server.pid}`)).toBe(false);
	});

	it("rejects with MongoDB's own words for a bad argument", async () => {
		await expect(startMongod({ extra: ['--no-such-option'] })).rejects.toThrow(/no-such-option/);
	});
});
