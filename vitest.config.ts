import { defineConfig } from 'vitest/config';

/**
 * The tiers of the tests, by file name and folder; `test/rules/tiers.test.ts` checks that a file is in the right one.
 *
 *   unit         `*.test.ts` beside the source                  no server, process, thread or port: pure computing
 *   integration  `*.integration.test.ts`, `test/`               real servers, processes and ports
 *   browser      `*.browser.test.ts`                            drives a real Chromium
 *   faults       `*.faults.test.ts`, `test/faults/`             kills processes, damages files, cuts connections
 *
 * All run with two workers, so a file must bear another one beside it. Each file has a process of its own, except for
 * the units, which share two: starting a process costs more than most of them. A unit test leaves no global changed;
 * stubbed globals are put back before each test. Units go first.
 */
const NEVER = ['**/node_modules/**', '**/dist/**', '**/data/**', '**/.cache/**'];
/** Only `npm run test:compose` sets this: those tests need a Docker engine, which is the user's own. */
if (!process.env.COMPOSE_PROJECT) NEVER.push('test/compose/**');

const BROWSER = ['**/*.browser.test.ts'];
const FAULTS = ['**/*.faults.test.ts', 'test/faults/**/*.test.ts'];
const INTEGRATION = ['**/*.integration.test.ts', 'edge-gateway/test/**/*.test.ts', 'test/**/*.test.ts'];
const UNIT_IN_TEST = ['test/rules/*.test.ts', 'test/docs/*.test.ts'];

const common = { pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000, teardownTimeout: 15_000 } as const;

/** One server of each kind that no test kills, and the built page. */
const globalSetup = ['packages/testing/src/run-setup.ts'];

function tier(name: string, groupOrder: number, include: string[], exclude: string[]) {
	const setup = name === 'unit' ? { isolate: false, unstubGlobals: true } : { globalSetup };
	return { test: { ...common, ...setup, name, include, exclude: [...NEVER, ...exclude], sequence: { groupOrder } } };
}

export default defineConfig({
	test: {
		maxWorkers: 2,
		teardownTimeout: common.teardownTimeout,
		projects: [
			tier(
				'unit',
				0,
				['**/src/**/*.test.ts', '{scripts,bench}/**/*.test.ts', ...UNIT_IN_TEST],
				[...INTEGRATION.slice(0, 2), ...BROWSER, ...FAULTS],
			),
			tier('integration', 1, INTEGRATION, [
				...UNIT_IN_TEST.map((glob) => glob.replace('*.', '!(*.integration).')),
				...BROWSER,
				...FAULTS,
			]),
			tier('browser', 2, BROWSER, []),
			tier('faults', 3, FAULTS, []),
		],
	},
});
