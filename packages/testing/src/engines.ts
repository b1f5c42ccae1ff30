import { afterAll, beforeAll, describe } from 'vitest';
import { type MongoForTests, mongoForTests, whyNoMongo } from './mongod.ts';

/**
 * Runs a suite on either engine of the store; `mongoUrl` gives another empty database at every call. Skipped on MongoDB
 * where there is none.
 */
export function onEachEngine(suite: (mongoUrl?: () => string) => void): void {
	describe('on SQLite', () => suite());
	const why = whyNoMongo();
	describe.skipIf(why)(`on MongoDB${why ? `: ${why}` : ''}`, () => {
		let mongo: MongoForTests | undefined;
		beforeAll(async () => {
			mongo = await mongoForTests();
		});
		afterAll(() => mongo?.stop());
		suite(() => mongo!.database());
	});
}
