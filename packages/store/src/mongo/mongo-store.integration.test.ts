import { type MongoForTests, mongoForTests, whyNoMongo } from '@crowdvision/testing/mongod';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeStore } from '../store.conformance.ts';
import { mongoStores } from './mongo-store.ts';

describe.skipIf(whyNoMongo())('on a real MongoDB server', () => {
	let mongo: MongoForTests;
	beforeAll(async () => {
		mongo = await mongoForTests();
	});
	afterAll(() => mongo?.stop());

	describeStore('MongoDB', async () => {
		const url = mongo.database();
		return {
			open: async () => mongoStores({ url }),
			stop: () => mongo.drop(url),
		};
	});
});
