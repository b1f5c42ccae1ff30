import { whyNoMongod } from '@crowdvision/testing/mongod';
import { describe } from 'vitest';
import { startDistributed } from './from-fixture.ts';
import { describeUpgrade } from './scenario.ts';

const why = whyNoMongod();

describe.skipIf(why)(`with MongoDB and Redis${why ? `: ${why}` : ''}`, () => {
	describeUpgrade('every service in its own process, a minute later', () => startDistributed());
});
