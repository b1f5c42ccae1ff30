import assert from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { expect, it } from 'vitest';
import { SessionStore } from './session-store.ts';

type Suite = (options: {
	test: (
		name: string,
		run: (t: { plan(count: number): void; diagnostic(text: string): void; assert: typeof assert }) => Promise<void>,
	) => void;
	persistence: () => Promise<unknown>;
	testAsync: true;
}) => void;

const logger = createLogger('test', 'silent');

async function emptyStore(): Promise<SessionStore> {
	const dir = mkdtempSync(join(tmpdir(), 'crowdvision-sessions-'));
	const worker = startCommitWorker();
	const store = await SessionStore.open(dir, { worker, logger });
	const destroy = store.destroy.bind(store);
	store.destroy = async () => {
		await destroy();
		await worker.close();
		rmSync(dir, { recursive: true, force: true });
	};
	return store;
}

/** The specification of a persistence: the test suite that aedes' own adapters run. */
const suite = createRequire(import.meta.url)('aedes-persistence/abstract.js') as Suite;
let cases = 0;
suite({
	testAsync: true,
	persistence: emptyStore,
	test(name, run) {
		cases++;
		it(`the session store is a persistence as aedes-persistence specifies it: ${name}`, async () => {
			// The suite compares with Node's own assertions.
			await run({ plan: () => undefined, diagnostic: () => undefined, assert });
		});
	},
});

it('every case of the specification by aedes-persistence was run', () => {
	expect(cases).toBeGreaterThan(40);
});
